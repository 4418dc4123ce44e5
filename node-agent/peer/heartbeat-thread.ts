import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "#model/shared/assert.ts";
import { bootMs } from "../adapters/linux/clock.ts";
import type { GuardReport } from "../guard/fence-order.ts";
import { HeartbeatCore } from "./heartbeat-core.ts";
import { DatagramSealer } from "./sealed-datagram.ts";
import type { NetworkEnds, ThreadCommand, ThreadEvent, ThreadOptions } from "./thread-messages.ts";

/**
 * The heartbeat thread: sockets and timers for heartbeat-core.ts. It runs apart from the main loop,
 * so that a script, a certificate or a large upload on the main thread delays no heartbeat; and it
 * makes no call that can wait for a disk, so that a hung disk cannot make a live node look dead
 * (nor let a node that cannot write look alive: see `hangAfterMs`).
 */

/** Changes are said soon, but not more often than this. */
const SOON_MS = 20;
/** The guard hears at least this often while it has something to take down. */
const GUARD_FEED_MS = 50;
/** A socket that cannot be bound (its interface may not be up yet) is tried again this often. */
const BIND_RETRY_MS = 500;
/** Unsent bytes to the guard after which a report is skipped: the next one replaces it anyway. */
const GUARD_BACKLOG_BYTES_MAX = 65_536;

const port = parentPort;
assert(port !== null, "the heartbeat thread is started as a worker");
// Typed by what startHeartbeats put there: Node hands a worker's data over as it was given.
const options: ThreadOptions = workerData;
const post = (event: ThreadEvent): void => port.postMessage(event);

/** One network's UDP socket, bound again for as long as it takes. */
class NetworkSocket {
  readonly #ends: NetworkEnds;
  readonly #onDatagram: (datagram: Buffer) => void;
  #socket: DatagramSocket | null = null;
  #hasReported = false;
  #isClosed = false;

  constructor(ends: NetworkEnds, onDatagram: (datagram: Buffer) => void) {
    this.#ends = ends;
    this.#onDatagram = onDatagram;
    this.#bind();
  }

  /** A send that fails (no route, full buffer) is a lost datagram; the next one follows soon. */
  send(datagram: Buffer): void {
    this.#socket?.send(datagram, this.#ends.peerPort, this.#ends.peerAddress, () => {});
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#socket = null;
  }

  #bind(): void {
    if (this.#isClosed) return;
    const { localAddress, localPort, name } = this.#ends;
    const socket = createSocket(localAddress.includes(":") ? "udp6" : "udp4");
    socket.on("message", this.#onDatagram);
    socket.on("error", (cause) => {
      // Said once: an interface that stays down would fill the log.
      if (!this.#hasReported) {
        post({ kind: "networkFailed", network: name, detail: cause.message });
      }
      this.#hasReported = true;
      this.#socket = null;
      socket.close();
      setTimeout(() => this.#bind(), BIND_RETRY_MS).unref();
    });
    socket.bind(localPort, localAddress, () => {
      this.#hasReported = false;
      this.#socket = socket;
    });
  }
}

/** The pipe to the guard: one line of JSON per report, the latest replaces all before it. */
class GuardFeed {
  readonly #socket: Socket | null;

  constructor(descriptor: number | null) {
    this.#socket = descriptor === null ? null : new Socket({ fd: descriptor, writable: true });
    this.#socket?.on("error", () => this.#socket?.destroy());
    this.#socket?.on("close", () => post({ kind: "guardLost" }));
    // Nothing is expected from the guard, but only a socket that is read notices its end.
    this.#socket?.resume();
  }

  report(report: GuardReport): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return;
    if (socket.writableLength > GUARD_BACKLOG_BYTES_MAX) return;
    socket.write(`${JSON.stringify(report)}\n`);
  }

  close(): void {
    this.#socket?.removeAllListeners("close");
    this.#socket?.destroy();
  }
}

const sockets: NetworkSocket[] = [];
const core = new HeartbeatCore(options, {
  bootMs,
  send: (networkIndex, datagram) => sockets[networkIndex]?.send(datagram),
  post,
  sealer: new DatagramSealer(options.nodeId),
});
for (const [index, ends] of options.networks.entries()) {
  sockets.push(new NetworkSocket(ends, (datagram) => core.receive(index, datagram)));
}
const guard = new GuardFeed(options.guardDescriptor);

let lastBeatBootMs = 0;
let isBeatPlanned = false;
function beat(): void {
  isBeatPlanned = false;
  lastBeatBootMs = bootMs();
  core.beat();
}
function beatSoon(): void {
  if (isBeatPlanned) return;
  isBeatPlanned = true;
  setTimeout(beat, Math.max(0, SOON_MS - (bootMs() - lastBeatBootMs)));
}

const beats = setInterval(beat, options.heartbeatMs);
const feeds = setInterval(() => guard.report(core.guardReport()), GUARD_FEED_MS);

port.on("message", (command: ThreadCommand) => {
  if (command.kind === "close") {
    clearInterval(beats);
    clearInterval(feeds);
    // The last word to the guard: what is still listed there stays its duty.
    guard.report(core.guardReport());
    guard.close();
    for (const socket of sockets) socket.close();
    port.close();
    return;
  }
  if (core.take(command)) beatSoon();
  if (command.kind === "guard") guard.report(core.guardReport());
});
post({ kind: "ready" });
