/**
 * Serves one directory over FUSE until it is unmounted: the whole process is the serving thread,
 * so that killing it is all a test needs to get out of any mess. Started by served-directory.ts.
 *
 * Commands arrive as lines on stdin; each is answered by a line on stdout, in order.
 */
import { writeSync } from "node:fs";
import { assert } from "../../model/shared/assert.ts";
import { errnoName } from "../../node-agent/adapters/linux/errno.ts";
import { read } from "../../node-agent/adapters/linux/file.ts";
import { POLLIN, PollSet, setNonBlocking } from "../../node-agent/adapters/linux/poll.ts";
import { BlockingPool } from "../../node-agent/fuse/blocking-pool.ts";
import { mountTree } from "../../node-agent/fuse/mount-tree.ts";
import { FileIdAllocator } from "../../node-agent/fuse/ports.ts";
import { FuseServer } from "../../node-agent/fuse/server.ts";
import { parseServeOptions, type ServeCommand, type ServeOptions } from "./serve-options.ts";
import { TestGate, TestSink } from "./test-sink.ts";

const BUDGET = 64;
const TICK_MS = 100;

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function main(options: ServeOptions): void {
  const mounted = mountTree(options.path);
  if (!mounted.ok) {
    say(`failed ${JSON.stringify(mounted.error)}`);
    return;
  }
  const { device, rootFd } = mounted.value;
  const gate = new TestGate();
  const sink = new TestSink(options);
  const blocking = new BlockingPool();
  const server = new FuseServer({
    device,
    tree: {
      number: 0,
      id: 1,
      rootFd,
      exclusions: options.exclusions.map((path) => Buffer.from(path)),
    },
    ids: new FileIdAllocator(1),
    sink,
    gate,
    blocking,
    changes: { announce: () => true, born: () => undefined },
    onDiskError: () => undefined,
    onFault: (fault) => {
      sink.faults.push(`${fault.operation}: ${fault.detail}`);
      process.stderr.write(`fault ${fault.operation}: ${fault.detail}\n`);
    },
    ...(options.descriptorsMax === undefined ? {} : { descriptorsMax: options.descriptorsMax }),
    ...(options.kernelLimit === undefined ? {} : { kernelLimit: options.kernelLimit }),
  });
  if (options.role === "primary") server.setRole("primary");
  sink.onWindowOpen = () => server.onWindowOpen();
  say("ready");
  serve({ server, blocking, gate, sink });
  sink.close();
  server.close();
  blocking.close();
  say("ended");
}

type Parts = { server: FuseServer; blocking: BlockingPool; gate: TestGate; sink: TestSink };

function serve(parts: Parts): void {
  const { server, blocking } = parts;
  const lines = new CommandLines();
  const set = new PollSet(3);
  set.set(1, blocking.descriptor, POLLIN);
  set.set(2, 0, POLLIN);
  let tick = performance.now();
  for (;;) {
    set.set(0, server.wantsRequests ? server.device : -1, POLLIN);
    const ready = set.wait(TICK_MS);
    assert(ready >= 0 || ready === -4, `poll: ${errnoName(ready)}`);
    if (set.ready(1) !== 0) blocking.handleReadable();
    if (set.ready(2) !== 0) {
      if (lines.isEnded) set.set(2, -1, 0);
      for (const command of lines.take()) obey(command, parts);
    }
    if (set.ready(0) !== 0 && server.handleReadable(BUDGET) < 0) return;
    if (performance.now() - tick >= TICK_MS) {
      tick = performance.now();
      server.flushTimes();
    }
  }
}

function obey(command: ServeCommand, { server, gate, sink }: Parts): void {
  switch (command) {
    case "primary":
      server.setRole("primary");
      break;
    case "attach":
      sink.attach();
      server.onAttach();
      break;
    case "shutGate":
      gate.shut();
      break;
    case "openGate":
      gate.open();
      break;
    case "withhold":
      sink.withhold();
      break;
    case "release":
      sink.release();
      break;
    case "failPending":
      server.failPending(5);
      break;
    case "flushTimes":
      server.flushTimes();
      break;
    case "watch":
      server.mutations = sink.mutations;
      break;
    case "report":
      break;
  }
  say(JSON.stringify({ ...sink.report(), pending: server.pendingCount }));
}

/** Lines from stdin without an event loop. */
class CommandLines {
  #text = "";
  isEnded = false;
  readonly #bytes = new Uint8Array(4096);

  constructor() {
    setNonBlocking(0);
  }

  take(): ServeCommand[] {
    const length = read(0, this.#bytes, this.#bytes.length);
    if (length === 0) this.isEnded = true;
    if (length > 0) this.#text += Buffer.from(this.#bytes.subarray(0, length)).toString();
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    const commands: ServeCommand[] = [];
    for (const line of lines) commands.push(JSON.parse(line));
    return commands;
  }
}

main(parseServeOptions(process.argv[2] ?? "{}"));
