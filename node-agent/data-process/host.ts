import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { assertNever } from "#model/shared/assert.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import type { EngineEvent, Opened } from "../replication/engine.ts";
import type { LocalEngine } from "../replication/replication-engine.ts";
import { Lines } from "./lines.ts";
import { type HostedOptions, PROTOCOL, sessionKey, type ToHost } from "./protocol.ts";

/**
 * So long it waits for an agent. Its replies wait for a lease meanwhile, so nothing is wrong; but an
 * application that hangs for ever is worse than one that gets an error.
 */
const ALONE_MS_MAX = 120_000;

export type HostPorts = {
  readonly engine: LocalEngine;
  /** The shared memory that it inherited. */
  readonly memoryDescriptor: number;
  /** Where a later agent finds it. */
  readonly socketPath: string;
  /** The mounts go with it. */
  end(why: string): void;
};

/** Holds one engine and does what one agent at a time says; the newest agent counts. */
export class DataHost {
  readonly #ports: HostPorts;
  #agent: Lines<ToHost> | null = null;
  #server: Server | null = null;
  #held: { readonly options: HostedOptions; readonly opened: Opened } | null = null;
  #alone: NodeJS.Timeout | null = null;
  #isClosing = false;

  constructor(ports: HostPorts) {
    this.#ports = ports;
    ports.engine.onEvent((event) => this.#onEvent(event));
  }

  /** The agent that started this process. */
  serveFirst(socket: Socket): void {
    this.#serve(new Lines<ToHost>(socket));
  }

  #listen(): void {
    const { socketPath } = this.#ports;
    rmSync(socketPath, { force: true });
    const server = createServer((socket) => void this.#greet(new Lines<ToHost>(socket)));
    server.on("error", (cause) => this.#ports.end(`${socketPath}: ${cause.message}`));
    server.listen({ path: socketPath, readableAll: false, writableAll: false });
    this.#server = server;
  }

  /** A later agent hears how things stand before anything that happens from then on. */
  async #greet(agent: Lines<ToHost>): Promise<void> {
    const standing = await this.#ports.engine.standing();
    if (this.#held === null || standing === null || this.#isClosing) {
      agent.socket.destroy();
      return;
    }
    agent.write({ kind: "hello", protocol: PROTOCOL, ...this.#held, standing });
    this.#serve(agent);
  }

  #serve(agent: Lines<ToHost>): void {
    this.#agent?.socket.destroy();
    this.#agent = agent;
    if (this.#alone !== null) clearTimeout(this.#alone);
    agent.taker = (message) => void this.#take(agent, message);
    agent.socket.on("close", () => this.#left(agent));
  }

  #left(agent: Lines<ToHost>): void {
    if (agent !== this.#agent || this.#isClosing) return;
    this.#agent = null;
    // Not yet open: there is nothing that anybody could take over.
    if (this.#held === null) this.#ports.end("the agent ended before it was open");
    this.#alone = setTimeout(() => this.#ports.end("no agent came back"), ALONE_MS_MAX);
  }

  #onEvent(event: EngineEvent): void {
    this.#agent?.write({ kind: "event", event });
    // What it had is gone, and must not be taken over by anybody.
    if (event.kind === "threadFailed") this.#endSoon("the data thread failed");
    const isGone = event.kind === "localFault" && event.errno === ERRNO.ENODEV;
    if (isGone) this.#endSoon("its mounts were taken away");
  }

  #endSoon(why: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // The agent, if there is one, hears of it first.
    setTimeout(() => this.#ports.end(why), 100);
  }

  async #take(agent: Lines<ToHost>, message: ToHost): Promise<void> {
    if (agent !== this.#agent) return;
    const { engine } = this.#ports;
    switch (message.call) {
      case "addSession":
        return engine.addSession(sessionKey(message.session));
      case "dropSession":
        return engine.dropSession(Buffer.from(message.sessionId, "base64"));
      case "setPeer":
        return engine.setPeer(message.addresses);
      case "admitResync":
        return engine.admitResync(message.attachmentId, message.isForeign);
      case "cancelResync":
        return engine.cancelResync();
      default: {
        const text = JSON.stringify((await this.#answer(message)) ?? null);
        agent.write({ kind: "reply", id: message.id, text });
        if (message.call === "close") agent.socket.end(() => this.#ports.end("closed"));
      }
    }
  }

  async #answer(message: Extract<ToHost, { readonly id: number }>): Promise<unknown> {
    const { engine } = this.#ports;
    switch (message.call) {
      case "open":
        return await this.#open(message.options);
      case "serve":
        return await engine.serve(message);
      case "acknowledgeAlone":
        return await engine.acknowledgeAlone(message.epoch);
      case "requirePeer":
        return await engine.requirePeer(message.epoch);
      case "follow":
        return await engine.follow(message);
      case "refuseBelow":
        return await engine.refuseBelow(message.epoch);
      case "startResync":
        return await engine.startResync(message);
      case "drain":
        return await engine.drain();
      case "flush":
        return await engine.flush();
      case "metrics":
        return await engine.metrics();
      case "close":
        this.#isClosing = true;
        this.#server?.close();
        rmSync(this.#ports.socketPath, { force: true });
        return await engine.close(message);
      default:
        return assertNever(message);
    }
  }

  async #open(options: HostedOptions): Promise<unknown> {
    const leaseCell = { descriptor: this.#ports.memoryDescriptor };
    const opened = await this.#ports.engine.open({ ...options, leaseCell });
    if (opened.ok) {
      this.#held = { options, opened: opened.value };
      this.#listen();
    }
    return opened;
  }
}
