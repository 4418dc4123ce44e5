/**
 * The lab's proxy before the control plane's door for agents (witness-proxy.ts): packets to that
 * door are led to it, so that agents and control plane stay as they are and know nothing of it.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCa } from "../../functions/identity/certificate-authority.ts";
import { waitFor } from "./command.ts";
import type { Lab } from "./lab.ts";
import type { WitnessFault } from "./witness-fault.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const PROXY_PORT = 7444;
const FAULT_FILE = "/run/witness-fault.json";
const KEY_FILE = "/run/witness-proxy.key";
const CERTIFICATE_FILE = "/run/witness-proxy.crt";
const LOG = "witness-proxy";

/** Where the control plane listens for agents, and keeps its CA. */
export type Door = { readonly address: string; readonly port: number; readonly state: string };

/** One request of an agent, as the proxy saw it. */
export type DoorRequest = {
  readonly atMs: number;
  readonly from: string;
  readonly path: string;
  readonly vote: string | null;
  readonly did: string;
};

export class WitnessDoor {
  readonly #lab: Lab;
  readonly #door: Door;

  constructor(lab: Lab, door: Door) {
    this.#lab = lab;
    this.#door = door;
  }

  /** Puts the proxy in front; after each boot of the control machine anew. */
  async open(): Promise<void> {
    const control = this.#lab.machine("control");
    const { address, port, state } = this.#door;
    const read = (name: string) => readFileSync(control.path(join(state, name)), "utf8");
    const material = { keyPem: read("ca.key"), certificatePem: read("ca.crt") };
    const issued = await (await openCa(material, Date.now)).issueForListener([address]);
    writeFileSync(control.path(KEY_FILE), issued.keyPem, { mode: 0o600 });
    const chain = `${issued.certificatePem}\n${material.certificatePem}`;
    writeFileSync(control.path(CERTIFICATE_FILE), chain);
    this.fault({ kind: "none" });
    control.start(LOG, [
      ...[NODE, join(ROOT, "test", "lab", "witness-proxy.ts"), String(PROXY_PORT)],
      ...[`https://${address}:${port}`, FAULT_FILE, KEY_FILE, CERTIFICATE_FILE],
    ]);
    await waitFor("the proxy to listen", async () => ((await this.isOpen()) ? true : null), 20_000);
    await this.#lab.network.inHost("control", redirection(port));
  }

  fault(fault: WitnessFault): void {
    const path = this.#lab.machine("control").path(FAULT_FILE);
    writeFileSync(`${path}.new`, JSON.stringify(fault));
    renameSync(`${path}.new`, path);
  }

  /** Every request since the lab began, oldest first. */
  requests(): readonly DoorRequest[] {
    return this.#lab
      .machine("control")
      .log(LOG)
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line): DoorRequest => JSON.parse(line));
  }

  async isOpen(): Promise<boolean> {
    const shown = await this.#lab.network.inHost("control", "ss -Hltn");
    return shown.includes(`:${PROXY_PORT} `);
  }
}

/** Connections that were open before are reset, as nobody else would lead them to the proxy. */
const redirection = (port: number): string => `nft '
  add table inet door
  delete table inet door
  table inet door {
    chain lead {
      type nat hook prerouting priority -100;
      iifname "eth0" tcp dport ${port} redirect to :${PROXY_PORT};
    }
    chain old {
      type filter hook input priority 0;
      iifname "eth0" tcp dport ${port} reject with tcp reset;
    }
  }'`;
