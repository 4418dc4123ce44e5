import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../lab/command.ts";
import type { Lab } from "../lab/lab.ts";
import { NamespaceFetch } from "../lab/namespace-fetch.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const LOG = "/srv/told.log";

/** One line that the ledger said it has, as the client outside heard it. */
export type Ack = {
  readonly id: string;
  /** Which of the clients asked: through the address, or one node directly. */
  readonly by: "vip" | "direct";
  /** The node that answered. */
  readonly node: string;
  readonly atMs: number;
};

/** Clients outside both nodes, and the judgement of what they were told. */
export class LedgerJudge {
  readonly #lab: Lab;
  readonly #vip: string;
  readonly #fetch: NamespaceFetch;
  #read = { bytes: 0, rest: "", acks: [] as Ack[] };

  constructor(lab: Lab, vip: string) {
    this.#lab = lab;
    this.#vip = vip;
    this.#fetch = new NamespaceFetch(lab.network.namespacePath("client"));
  }

  start(): void {
    const { network } = this.#lab;
    this.#lab
      .machine("client")
      .start("ledger-client", [
        ...[NODE, join(import.meta.dirname, "ledger-client.ts"), LOG, this.#vip],
        ...[network.address("node1"), network.address("node2")],
      ]);
  }

  /** Every acknowledgement so far, oldest first. */
  acks(): readonly Ack[] {
    const path = this.#lab.machine("client").path(LOG);
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    const { bytes: known, rest, acks } = this.#read;
    const lines = (rest + bytes.subarray(known).toString("utf8")).split("\n");
    const incomplete = lines.pop() ?? "";
    for (const line of lines) {
      const [word, id = "", node = "", atMs] = line.split(" ");
      if (word !== "ack") continue;
      acks.push({ id, by: id.includes("-vip-") ? "vip" : "direct", node, atMs: Number(atMs) });
    }
    this.#read = { bytes: bytes.length, rest: incomplete, acks };
    return acks;
  }

  /** Those that arrived in a span of time. */
  acksBetween(fromMs: number, toMs = Date.now()): readonly Ack[] {
    return this.acks().filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  }

  lastAckMs(): number {
    return this.acks().at(-1)?.atMs ?? Number.NaN;
  }

  /** Waits until that many more lines were acknowledged through the address. */
  async acknowledges(more: number, limitMs: number): Promise<void> {
    const count = () => this.acks().filter(({ by }) => by === "vip").length;
    const before = count();
    await waitFor(
      `${more} more acknowledged lines`,
      () => (count() >= before + more ? true : null),
      limitMs,
      20,
    );
  }

  /** The longest time without an acknowledgement through the address, the beginning one included. */
  longestSilenceMs(fromMs: number, toMs = Date.now()): number {
    const times = this.acksBetween(fromMs, toMs)
      .filter(({ by }) => by === "vip")
      .map(({ atMs }) => atMs);
    const moments = [fromMs, ...times, toMs];
    return Math.max(...moments.slice(1).map((at, index) => at - (moments[index] ?? at)));
  }

  /** The acknowledged lines that the service no longer has: must be none. */
  async lost(isExcused: (ack: Ack) => boolean = () => false): Promise<readonly Ack[]> {
    // What is acknowledged while the lines are read may be missing in them.
    const told = [...this.acks()];
    const lines = new Set((await this.get(`http://${this.#vip}:8080/lines`, 20_000)).split("\n"));
    return told.filter((ack) => !lines.has(ack.id) && !isExcused(ack));
  }

  /** What the client sees at that address; throws when nobody answers. */
  async get(url: string, limitMs = 1_000): Promise<string> {
    return (await this.request(url, limitMs)).text;
  }

  async request(url: string, limitMs = 1_000): Promise<{ status: number; text: string }> {
    const { origin, pathname } = new URL(url);
    return await this.#fetch.transport(origin, limitMs)("GET", pathname, {}, null);
  }

  async close(): Promise<void> {
    await this.#fetch.close();
  }
}
