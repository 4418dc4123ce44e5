/**
 * What replication costs an application: the same two workloads in a plain directory of a node's
 * disk and in the replicated one, in turn, both nodes' disks being images on the same machine.
 */
import { join } from "node:path";
import { startCluster } from "../lab/cluster.ts";
import { Lab } from "../lab/lab.ts";
import { median, table } from "./statistics.ts";

const NODE = process.execPath;
const ANSWER = join(import.meta.dirname, "answer");
const SECONDS = 3;

type Figures = { readonly syncedWrites: number; readonly creates: number };
export type ReplicationRound = { readonly plain: Figures; readonly replicated: Figures };

export async function benchReplication(
  rounds: number,
  say: (text: string) => void,
): Promise<readonly ReplicationRound[]> {
  const lab = await Lab.up({ diskMiB: 2048 });
  const results: ReplicationRound[] = [];
  try {
    const cluster = await startCluster(lab, { say, module: "answer", folder: ANSWER });
    await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, 60_000);
    const node1 = lab.machine("node1");
    await node1.mustExec(["mkdir", "-p", "/srv/plain"]);
    const measure = async (folder: string): Promise<Figures> => {
      const program = join(import.meta.dirname, "file-writer.ts");
      const args = [NODE, program, folder, String(SECONDS)];
      return JSON.parse(await node1.mustExec(args, { limitMs: 120_000 }));
    };
    for (let round = 1; round <= rounds; round += 1) {
      const plain = await measure("/srv/plain");
      const replicated = await measure("/srv/data");
      results.push({ plain, replicated });
      say(`round ${round}: ${JSON.stringify({ plain, replicated })}`);
    }
  } finally {
    await lab.down();
  }
  return results;
}

export function replicationTable(rounds: readonly ReplicationRound[]): string {
  const row = (name: string, of: (figures: Figures) => number) => {
    const plain = median(rounds.map((round) => of(round.plain)));
    const replicated = median(rounds.map((round) => of(round.replicated)));
    const ratio = median(rounds.map((round) => of(round.replicated) / of(round.plain)));
    return [name, plain, replicated, ratio.toFixed(2)];
  };
  return table([
    [`per second, medians of ${rounds.length} rounds`, "plain", "replicated", "ratio"],
    row("4 KiB write + fsync", (figures) => figures.syncedWrites),
    row("create + 4 KiB + close", (figures) => figures.creates),
  ]);
}
