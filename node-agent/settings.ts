import { parseArgs } from "node:util";
import { err, ok, type Result } from "#model/shared/result.ts";
import { PROBE_PORT } from "./probe/probe-server.ts";

/** How an agent is started. Everything else it learns from its identity and the control plane. */
export type AgentSettings = {
  readonly stateDirectory: string;
  /** Where to listen, by network; absent: the node's own address in the cluster's settings. */
  readonly bindAddresses: ReadonlyMap<string, string>;
  /** TCP port of the link between the agents; the same on every node. */
  readonly linkPort: number;
  /** UDP port of the heartbeats; the same on every node. */
  readonly heartbeatPort: number;
  /** First TCP port that replication may listen on; one per mirror module, going up. */
  readonly replicationPort: number;
  /** null: no probe. */
  readonly probe: { readonly host: string; readonly port: number } | null;
};

/** The ports that a firewall between the nodes must let through; see docs/ARCHITECTURE.md. */
export const DEFAULT_PORTS = {
  link: 7401,
  heartbeat: 7402,
  replication: 7410,
  probe: PROBE_PORT,
} as const;
/** Ports that are tried above `replicationPort`. */
export const REPLICATION_PORTS_MAX = 64;

export const AGENT_USAGE = `usage: agent [--state DIR] [--bind NETWORK=ADDRESS ...]
  [--link-port N] [--heartbeat-port N] [--replication-port N] [--probe ADDRESS:PORT | off]`;

/** Reads the command line of the agent. */
export function readSettings(args: readonly string[]): Result<AgentSettings, string> {
  let values: ReturnType<typeof parse>["values"];
  try {
    ({ values } = parse(args));
  } catch (error) {
    return err(`${error instanceof Error ? error.message : String(error)}\n${AGENT_USAGE}`);
  }
  const ports = [values["link-port"], values["heartbeat-port"], values["replication-port"]];
  const [link, heartbeat, replication] = ports.map(portOf);
  if (link === undefined || heartbeat === undefined || replication === undefined) {
    return err(`a port is a number from 1 to 65535\n${AGENT_USAGE}`);
  }
  const bindAddresses = new Map<string, string>();
  for (const text of values.bind) {
    const [, network, address] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (network === undefined || address === undefined) {
      return err(`--bind ${text}: want NETWORK=ADDRESS\n${AGENT_USAGE}`);
    }
    bindAddresses.set(network, address);
  }
  const [, host, port] = /^(.+):([0-9]+)$/.exec(values.probe) ?? [];
  if (values.probe !== "off" && (host === undefined || portOf(port ?? "") === undefined)) {
    return err(`--probe ${values.probe}: want ADDRESS:PORT or off\n${AGENT_USAGE}`);
  }
  return ok({
    stateDirectory: values.state,
    bindAddresses,
    linkPort: link,
    heartbeatPort: heartbeat,
    replicationPort: replication,
    probe: host === undefined ? null : { host, port: Number(port) },
  });
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      state: { type: "string", default: "/var/lib/mirrorfarm" },
      bind: { type: "string", multiple: true, default: [] },
      "link-port": { type: "string", default: String(DEFAULT_PORTS.link) },
      "heartbeat-port": { type: "string", default: String(DEFAULT_PORTS.heartbeat) },
      "replication-port": { type: "string", default: String(DEFAULT_PORTS.replication) },
      probe: { type: "string", default: `0.0.0.0:${DEFAULT_PORTS.probe}` },
    },
  });

function portOf(text: string): number | undefined {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
