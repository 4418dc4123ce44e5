import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, promises as fs, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newReplicationEngine } from "./replication-engine.ts";
import { must, TestPair } from "./testing/pair.ts";

/** Mounting needs root and FUSE; the runner of all stages lists what was left out. */
/** Real mounts. */
const NEEDS = "(needs root and FUSE)";
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");

/** Settles within the bound, or says that it did not. */
async function within<T>(boundMs: number, promise: Promise<T>): Promise<T | "waits"> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<"waits">((resolve) => {
    timer = setTimeout(() => resolve("waits"), boundMs);
  });
  try {
    return await Promise.race([promise, bound]);
  } finally {
    clearTimeout(timer);
  }
}

/** `promise` without its rejection, for calls that a closing mount ends with an error. */
const quiet = <T>(promise: Promise<T>): Promise<T | "failed"> => promise.catch(() => "failed");

async function until(what: () => boolean, boundMs = 5000): Promise<void> {
  const deadline = performance.now() + boundMs;
  while (!what()) {
    if (performance.now() > deadline) throw new Error("it never came to be");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.skipIf(!canMount)(`an attached pair ${NEEDS}`, { timeout: 30_000 }, () => {
  let pair: TestPair;

  beforeAll(async () => {
    pair = new TestPair();
    await pair.open();
    await pair.attach();
  });
  afterAll(async () => {
    await pair.close();
  });

  const onA = (name: string): string => join(pair.a.tree(), name);
  const onDiskOfB = (name: string): string => join(pair.b.real(), name);

  test("what a call wrote is on the secondary's disk directory when it returns", async () => {
    for (let round = 0; round < 100; round += 1) {
      const text = `round ${round}`;
      await fs.writeFile(onA(`file${round % 7}`), text);
      expect(readFileSync(onDiskOfB(`file${round % 7}`), "utf8")).toBe(text);
    }
    await fs.mkdir(onA("dir"));
    expect(existsSync(onDiskOfB("dir"))).toBe(true);
    await fs.rename(onA("file0"), onA("dir/moved"));
    expect(existsSync(onDiskOfB("dir/moved"))).toBe(true);
    await fs.unlink(onA("file1"));
    expect(existsSync(onDiskOfB("file1"))).toBe(false);
  });

  test("an fsync returns after both disks, also of a directory", async () => {
    const file = await fs.open(onA("f"), "w");
    await file.write(randomBytes(3 * 1024 * 1024));
    await file.sync();
    await file.datasync();
    await file.close();
    const directory = await fs.open(pair.a.tree(), "r");
    await directory.sync();
    await directory.close();
    expect(readFileSync(onDiskOfB("f")).equals(await fs.readFile(onA("f")))).toBe(true);
  });

  test("the secondary's mount is read-only for everybody", async () => {
    await fs.writeFile(onA("x"), "data");
    expect(await fs.readFile(join(pair.b.tree(), "x"), "utf8")).toBe("data");
    await expect(fs.writeFile(join(pair.b.tree(), "y"), "no")).rejects.toThrow(/EROFS/);
  });

  test("a broken connection is taken up again without a resync", async () => {
    const attached = pair.a.events.length;
    for (let round = 0; round < 5; round += 1) {
      pair.relay.cut({ refuse: false });
      const file = await fs.open(onA("log"), "a");
      await file.write(`${round}\n`);
      await file.sync();
      await file.close();
    }
    expect(readFileSync(onDiskOfB("log"), "utf8")).toBe("0\n1\n2\n3\n4\n");
    const since = pair.a.events.slice(attached).map((event) => event.kind);
    expect(since).not.toContain("detached");
    expect(since).not.toContain("resyncProgress");
  });

  test("while fenced no reply leaves; thawed, all leave", async () => {
    await fs.writeFile(onA("f"), "before");
    pair.a.engine.fence();
    const writing = quiet(fs.writeFile(onA("f"), "after!"));
    const reading = quiet(fs.stat(onA("unknown-name")));
    expect(await within(300, writing)).toBe("waits");
    expect(await within(50, reading)).toBe("waits");
    pair.a.engine.thaw();
    expect(await within(2000, writing)).toBeUndefined();
    expect(await within(2000, reading)).toBe("failed");
  });

  test("past the lease no reply leaves; with a new grant of the same epoch, all leave", async () => {
    pair.a.dropLease();
    const writing = quiet(fs.writeFile(onA("f"), "x"));
    expect(await within(300, writing)).toBe("waits");
    pair.a.holdLease(2);
    expect(await within(200, writing)).toBe("waits");
    pair.a.dropLease();
    pair.a.holdLease(1);
    expect(await within(2000, writing)).toBeUndefined();
  });

  test("strangers on the port change nothing and push nobody aside", async () => {
    const noises = [
      randomBytes(1),
      randomBytes(60),
      randomBytes(4096),
      Buffer.from("MFRP\x01\x01"),
    ];
    for (const noise of noises) {
      const socket = connect(pair.b.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(noise);
      if (noise.length >= 60) await new Promise((resolve) => socket.on("close", resolve));
      socket.unref();
    }
    await fs.writeFile(onA("f"), "still");
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("still");
    expect(pair.a.events.map((event) => event.kind)).not.toContain("detached");
  });

  test("a record that was changed on the way closes the connection and is not applied", async () => {
    let isTampered = false;
    pair.relay.onForward = (bytes) => {
      if (isTampered || bytes.length < 40) return bytes;
      isTampered = true;
      const changed = Buffer.from(bytes);
      changed[30] = (changed[30] ?? 0) ^ 1;
      return changed;
    };
    await fs.writeFile(onA("f"), "as it was");
    expect(isTampered).toBe(true);
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("as it was");
  });
});

describe.skipIf(!canMount)(`a pair on its way ${NEEDS}`, { timeout: 30_000 }, () => {
  let pair: TestPair;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    pair = new TestPair();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await pair.close();
  });

  const onA = (name: string): string => join(pair.a.tree(), name);
  const onDiskOfB = (name: string): string => join(pair.b.real(), name);

  test("two trees share one order and attach together, with what was there before", async () => {
    await pair.open({ trees: 2 });
    pair.a.holdLease(1);
    await must(pair.a.engine.serve({ epoch: 1, ackBy: "none" }));
    await fs.writeFile(join(pair.a.tree(0), "old"), "before");
    await fs.writeFile(join(pair.a.tree(1), "old"), "before too");
    await pair.attach();
    expect(readFileSync(join(pair.b.real(0), "old"), "utf8")).toBe("before");
    expect(readFileSync(join(pair.b.real(1), "old"), "utf8")).toBe("before too");
    await fs.writeFile(join(pair.a.tree(1), "new"), "after");
    expect(readFileSync(join(pair.b.real(1), "new"), "utf8")).toBe("after");
  });

  test("without acknowledgements a write waits, is reported, and goes on when alone", async () => {
    await pair.open({ options: { replTimeoutMs: 300 } });
    await pair.attach();
    pair.relay.silenceBack();
    const writing = quiet(fs.writeFile(onA("f"), "x"));
    expect(await within(200, writing)).toBe("waits");
    await pair.a.saw("stalled");
    expect(await within(100, writing)).toBe("waits");
    await must(pair.a.engine.acknowledgeAlone(1));
    expect(await within(2000, writing)).toBeUndefined();
    await fs.writeFile(onA("g"), "alone");
    expect(existsSync(onDiskOfB("g"))).toBe(false);
  });

  test("nothing is mounted where what must be there is not", async () => {
    const path = pair.a.tree();
    await fs.mkdir(path, { recursive: true });
    const trees = [{ path, notReplicated: [], toCheck: ["etc/mounted"] }];
    const opening = pair.open({ options: { trees } });
    await expect(opening).rejects.toThrow("etc/mounted is not in it: is the disk");
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(path);
    await fs.mkdir(join(path, "etc/mounted"), { recursive: true });
    const again = newReplicationEngine();
    const listen = { host: "127.0.0.1", port: 0 };
    const options = { moduleId: "test", nodeId: "node1", trees, listen };
    const leaseCell = pair.a.cell.buffer;
    const opened = await again.open({ ...options, leaseCell, stateDirectory: pair.folder });
    expect(opened).toMatchObject({ ok: true });
    await again.close({ lazy: true });
  });

  test("with sync=fsync a write does not wait for the peer; an fsync after it does", async () => {
    await pair.open({ options: { syncMode: "fsync" } });
    await pair.attach();
    const file = await fs.open(onA("f"), "w");
    pair.relay.silenceBack();
    expect(await within(2000, file.write("promised by nobody yet"))).not.toBe("waits");
    const syncing = file.datasync().then(() => "done");
    expect(await within(300, syncing)).toBe("waits");
    const naming = quiet(fs.mkdir(onA("d")));
    expect(await within(100, naming)).toBe("waits");
    pair.relay.heal();
    pair.relay.cut({ refuse: false });
    expect(await within(5000, syncing)).toBe("done");
    await naming;
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("promised by nobody yet");
    await file.close();
  });

  test("a peer that is gone for longer is detached, and what waits goes on waiting", async () => {
    await pair.open({ options: { replTimeoutMs: 300 } });
    await pair.attach();
    pair.relay.cut({ refuse: true });
    const writing = quiet(fs.writeFile(onA("f"), "x"));
    await pair.a.saw("detached");
    expect(await within(200, writing)).toBe("waits");
    await pair.b.saw("detached");
    pair.relay.heal();
    await must(pair.a.engine.acknowledgeAlone(1));
    await writing;
    pair.a.events.length = 0;
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("x");
  });

  test("after a vote for a newer epoch nothing of the old one is applied", async () => {
    await pair.open({ options: { replTimeoutMs: 300 } });
    await pair.attach();
    await fs.writeFile(onA("f"), "old epoch");
    await must(pair.b.engine.refuseBelow(2));
    const writing = quiet(fs.writeFile(onA("late"), "x"));
    await pair.a.saw("peerRefused");
    expect(await within(200, writing)).toBe("waits");
    expect(existsSync(onDiskOfB("late"))).toBe(false);
    expect(await pair.b.engine.follow({ epoch: 1 })).toMatchObject({
      ok: false,
      error: { kind: "staleEpoch", epoch: 1, known: 2 },
    });
  });

  test("a drained secondary is promoted with everything that was acknowledged", async () => {
    await pair.open();
    await pair.attach();
    await fs.writeFile(onA("f"), "acknowledged");
    await must(pair.b.engine.refuseBelow(2));
    const { appliedSequence } = await must(pair.b.engine.drain());
    expect(appliedSequence).toBeGreaterThan(0);
    await pair.a.close();
    pair.b.holdLease(2);
    await must(pair.b.engine.serve({ epoch: 2, ackBy: "none" }));
    const promoted = join(pair.b.tree(), "f");
    expect(await fs.readFile(promoted, "utf8")).toBe("acknowledged");
    await fs.appendFile(promoted, " and more");
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("acknowledged and more");
  });

  test("a copy is not touched before its main thread agrees", async () => {
    await fs.mkdir(pair.b.tree(), { recursive: true });
    await fs.writeFile(join(pair.b.tree(), "mine"), "precious");
    await pair.open();
    pair.b.admits = false;
    pair.a.holdLease(1);
    await must(pair.a.engine.serve({ epoch: 1, ackBy: "none" }));
    await must(pair.b.engine.follow({ epoch: 1 }));
    await fs.writeFile(onA("theirs"), "x");
    await must(pair.a.engine.startResync({ epoch: 1 }));
    const asked = await pair.b.saw("resyncAsked");
    expect(readFileSync(onDiskOfB("mine"), "utf8")).toBe("precious");
    expect(existsSync(onDiskOfB("theirs"))).toBe(false);
    if (asked.kind === "resyncAsked") pair.b.engine.admitResync(asked.attachmentId, false);
    await pair.a.saw("attached");
    expect(existsSync(onDiskOfB("mine"))).toBe(false);
    // The first resync ever keeps what was there before the module was.
    const aside = await fs.readdir(join(pair.b.folder, "state", "aside"), { recursive: true });
    expect(aside.some((name) => name.endsWith("mine"))).toBe(true);
  });

  test("a copy of another history is kept aside, though it was the module's own", async () => {
    await pair.open({ options: { replTimeoutMs: 200 } });
    await pair.attach();
    await fs.writeFile(onA("f"), "of both");
    pair.relay.cut({ refuse: true });
    await pair.a.saw("detached");
    pair.relay.heal();
    await must(pair.a.engine.acknowledgeAlone(1));
    // As B would have written while it led in a history that was given up.
    await fs.writeFile(onDiskOfB("f"), "of b alone");
    await fs.writeFile(onDiskOfB("new"), "of b alone");
    pair.b.isForeign = true;
    pair.a.events.length = 0;
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    expect(readFileSync(onDiskOfB("f"), "utf8")).toBe("of both");
    const aside = join(pair.b.folder, "state", "aside");
    const kept = await fs.readdir(aside, { recursive: true, withFileTypes: true });
    const files = kept.filter((one) => one.isFile() && one.name !== "LIST");
    const texts = files.map((one) => readFileSync(join(one.parentPath, one.name), "utf8"));
    expect(texts).toEqual(["of b alone", "of b alone"]);
  });

  test("attached while an application writes, and cut off for moments, both copies stay equal", async () => {
    await pair.open();
    pair.a.holdLease(1);
    await must(pair.a.engine.serve({ epoch: 1, ackBy: "none" }));
    const script = `cd ${pair.a.tree()} && i=0; while :; do i=$((i+1)); echo $i >> log;
      echo $i > f$((i%50)); mkdir -p d$((i%20)); mv f$((i%50)) d$((i%20))/ 2>/dev/null; done`;
    children.push(spawn("sh", ["-c", script], { stdio: "ignore" }));
    await until(() => existsSync(join(pair.a.real(), "d19")));
    await pair.attach();
    // Now and then the connection breaks: what was in flight must not be lost or done twice.
    for (let cuts = 0; cuts < 5; cuts += 1) {
      const { size } = await fs.stat(onA("log"));
      pair.relay.cut({ refuse: false });
      await until(() => readFileSync(onDiskOfB("log")).length > size);
    }
    for (const child of children.splice(0)) {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.on("exit", resolve));
    }
    await must(pair.a.engine.flush());
    expect(pair.a.events.map((event) => event.kind)).not.toContain("detached");
    expect(pair.differences()).toEqual([]);
  });

  test("what the secondary cannot apply detaches it instead of being guessed", async () => {
    await pair.open();
    await pair.attach();
    await fs.writeFile(onA("f"), "x");
    // Somebody changed the copy beneath the mount: an unlink has nothing to remove.
    await fs.unlink(onDiskOfB("f"));
    const unlinking = quiet(fs.unlink(onA("f")));
    expect(await pair.b.saw("localFault")).toMatchObject({ errno: 2 });
    expect(await pair.a.saw("peerFault")).toMatchObject({ errno: 2 });
    expect(await within(100, unlinking)).toBe("waits");
    await must(pair.a.engine.acknowledgeAlone(1));
    expect(await within(2000, unlinking)).toBeUndefined();
  });

  test("an orderly close flushes and takes the mounts off", async () => {
    await pair.open();
    await pair.attach();
    await fs.writeFile(onA("f"), "x");
    await must(pair.a.engine.flush());
    await pair.a.engine.close({ lazy: false });
    expect(await fs.readFile(onA("f"), "utf8")).toBe("x");
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    expect(mounts).not.toContain(pair.a.tree());
  });
});
