import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "./command.ts";
import type { Lab } from "./lab.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const LOG = "/srv/commits.log";

/** What the client outside both nodes was told. */
export type Told = {
  readonly acknowledged: readonly string[];
  readonly unknown: readonly string[];
  /** Silences between two acknowledgements, in milliseconds, with the wall clock at their end. */
  readonly gaps: readonly { readonly lastedMs: number; readonly endedAtMs: number }[];
};

/** Clients that commit through the service's address, and the judgement of what they were told. */
export class CommitJudge {
  readonly #lab: Lab;
  readonly #vip: string;

  constructor(lab: Lab, vip: string) {
    this.#lab = lab;
    this.#vip = vip;
  }

  async createTable(): Promise<void> {
    await this.psql("CREATE TABLE IF NOT EXISTS commits (id text PRIMARY KEY)");
  }

  start(connections = 4): void {
    this.#lab
      .machine("client")
      .start("commit-client", [
        ...[NODE, join(ROOT, "test", "lab", "commit-client.ts"), "--host", this.#vip],
        ...["--log", LOG, "--connections", String(connections)],
      ]);
  }

  async stop(): Promise<void> {
    await this.#lab.machine("client").exec(["pkill", "-TERM", "-f", "commit-client.ts"]);
    await waitFor(
      "the clients to end",
      async () => {
        const found = await this.#lab.machine("client").exec(["pgrep", "-f", "commit-client.ts"]);
        return found.code === 0 ? null : true;
      },
      15_000,
    );
  }

  told(): Told {
    const path = this.#lab.machine("client").path(LOG);
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    const of = (word: string) =>
      lines
        .filter((line) => line.startsWith(`${word} `))
        .map((line) => line.slice(word.length + 1));
    return {
      acknowledged: of("ack"),
      unknown: of("unknown"),
      gaps: of("gap").map((text) => {
        const [lasted = "0", , ended = "0"] = text.split(" ");
        return { lastedMs: Number(lasted), endedAtMs: Number(ended) };
      }),
    };
  }

  /** Waits until that many more commits have been acknowledged. */
  async acknowledges(more: number, limitMs: number): Promise<void> {
    const before = this.told().acknowledged.length;
    await waitFor(
      `${more} more acknowledged commits`,
      () => (this.told().acknowledged.length >= before + more ? true : null),
      limitMs,
    );
  }

  /** The acknowledged commits that the service no longer has: must be none. */
  async lost(): Promise<readonly string[]> {
    const there = new Set((await this.psql("SELECT id FROM commits")).trim().split("\n"));
    return this.told().acknowledged.filter((id) => !there.has(id));
  }

  /** One statement through the address; unaligned rows without headers. */
  async psql(statement: string): Promise<string> {
    return await this.#lab
      .machine("client")
      .mustExec(["psql", "-X", "-A", "-t", "-h", this.#vip, "-U", "postgres", "-c", statement], {
        limitMs: 60_000,
      });
  }
}
