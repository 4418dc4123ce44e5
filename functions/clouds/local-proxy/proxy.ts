/**
 * Forwards TCP from a fixed port to whichever node leads. It is a process of its own and keeps its
 * last target in a file, so that service goes on while the control plane is away or restarts. A
 * target of an older epoch is refused: a late call must not send clients to a deposed primary.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import * as z from "zod/mini";
import { ProxyTarget } from "./proxy-contract.ts";

/** Client connections per listener; more are refused rather than queued. */
const CONNECTIONS_MAX = 2_000;
/** A node that does not even accept within this is as good as gone: the client may retry. */
const CONNECT_MS_MAX = 3_000;

/** One port clients use. */
export interface ProxyListener {
  readonly module: string;
  readonly host: string;
  readonly port: number;
  /** Port on the nodes. */
  readonly targetPort: number;
}
export interface ProxyOptions {
  readonly listeners: readonly ProxyListener[];
  readonly stateFile: string;
  /** Where clients reach a node, when that is not where its peers reach it; by node name. */
  readonly hosts: ReadonlyMap<string, string>;
}
export type SetTarget = "set" | "unknownModule" | "olderEpoch" | "otherNodeSameEpoch";

interface Lane {
  readonly listener: ProxyListener;
  readonly server: Server;
  readonly pairs: Set<Socket>;
  target: ProxyTarget | null;
}

const StateFile = z.record(z.string(), ProxyTarget);

export class TcpProxy {
  readonly #options: ProxyOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: ProxyOptions) {
    this.#options = options;
    const known = readState(options.stateFile);
    for (const listener of options.listeners) {
      const target = known[listener.module] ?? null;
      const lane: Lane = { listener, server: createServer(), pairs: new Set(), target };
      lane.server.maxConnections = CONNECTIONS_MAX;
      lane.server.on("connection", (client) => forward(lane, options.hosts, client));
      this.#lanes.set(listener.module, lane);
    }
  }

  /** Opens all ports. */
  async listen(): Promise<void> {
    for (const { listener, server } of this.#lanes.values()) {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(listener.port, listener.host, () => resolve());
      });
    }
  }

  /** The ports as they are, also where 0 was asked for. */
  status(): { module: string; listen: string; target: ProxyTarget | null; connections: number }[] {
    return [...this.#lanes.values()].map(({ listener, server, target, pairs }) => {
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : listener.port;
      const listen = `${listener.host}:${port}`;
      return { module: listener.module, listen, target, connections: pairs.size };
    });
  }

  /** Durable before it holds. Connections to the old target are reset: their node leads no more. */
  setTarget(module: string, target: ProxyTarget): SetTarget {
    const lane = this.#lanes.get(module);
    if (lane === undefined) return "unknownModule";
    const was = lane.target;
    if (was !== null && target.epoch < was.epoch) return "olderEpoch";
    // An epoch has one primary, ever; two of them means that someone is badly mistaken.
    if (was !== null && target.epoch === was.epoch && target.nodeId !== was.nodeId) {
      return "otherNodeSameEpoch";
    }
    const isSame = was?.nodeId === target.nodeId && was.host === target.host;
    this.#save(module, target);
    lane.target = target;
    if (!isSame) resetAll(lane);
    return "set";
  }

  #save(module: string, target: ProxyTarget): void {
    const all = Object.fromEntries(
      [...this.#lanes].flatMap(([name, lane]) => (lane.target ? [[name, lane.target]] : [])),
    );
    const text = JSON.stringify({ ...all, [module]: target });
    writeFileSync(`${this.#options.stateFile}.new`, text, { mode: 0o600, flush: true });
    renameSync(`${this.#options.stateFile}.new`, this.#options.stateFile);
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes.values()) {
      resetAll(lane);
      await new Promise<void>((resolve) => lane.server.close(() => resolve()));
    }
  }
}

function resetAll(lane: Lane): void {
  for (const socket of lane.pairs) socket.resetAndDestroy();
  lane.pairs.clear();
}

function forward(lane: Lane, hosts: ReadonlyMap<string, string>, client: Socket): void {
  const { target } = lane;
  if (target === null) {
    client.resetAndDestroy();
    return;
  }
  const upstream = connect({
    host: hosts.get(target.nodeId) ?? target.host,
    port: lane.listener.targetPort,
    noDelay: true,
  });
  client.setNoDelay(true);
  lane.pairs.add(client);
  lane.pairs.add(upstream);
  const end = () => {
    lane.pairs.delete(client);
    lane.pairs.delete(upstream);
    client.destroy();
    upstream.destroy();
  };
  const timer = setTimeout(() => client.resetAndDestroy(), CONNECT_MS_MAX);
  upstream.once("connect", () => clearTimeout(timer));
  upstream.on("error", () => {
    // A reset says "try again"; a plain end would look like an answer.
    client.resetAndDestroy();
    end();
  });
  client.on("error", end);
  client.on("close", () => {
    clearTimeout(timer);
    end();
  });
  upstream.on("close", end);
  client.pipe(upstream);
  upstream.pipe(client);
}

function readState(path: string): Readonly<Record<string, ProxyTarget>> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    const state = StateFile.safeParse(parsed);
    return state.success ? state.data : {};
  } catch {
    // No file at the first start; a torn one is as good as none: the control plane tells again.
    return {};
  }
}
