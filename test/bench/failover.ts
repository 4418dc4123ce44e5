/**
 * How long a service is away when its machine dies. In the lab, at default timers, the machine of
 * the primary is killed again and again; a client asks through the address all the time.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LabCluster, startAgent, startCluster } from "../lab/cluster.ts";
import { waitFor } from "../lab/command.ts";
import { Lab } from "../lab/lab.ts";
import { median, table } from "./statistics.ts";

const NODE = process.execPath;
const ANSWER = join(import.meta.dirname, "answer");
const SETTLED_MS = 60_000;
const other = (node: "node1" | "node2") => (node === "node1" ? "node2" : "node1");

export type FailoverRow = {
  /** From the death of the machine to the first answer through the address. */
  readonly answerMs: number;
  /** The application's own part of it: from its start script's begin to the first answer. */
  readonly applicationMs: number;
  readonly lostMs: number;
  readonly decidedMs: number;
};

export async function benchFailover(
  rounds: number,
  say: (text: string) => void,
): Promise<readonly FailoverRow[]> {
  const lab = await Lab.up();
  const rows: FailoverRow[] = [];
  try {
    const cluster = await startCluster(lab, { say, module: "answer", folder: ANSWER });
    await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, SETTLED_MS);
    const prober = join(import.meta.dirname, "prober.ts");
    lab.machine("client").start("prober", [NODE, prober, cluster.vip, "8080"]);
    let primary: "node1" | "node2" = "node1";
    for (let round = 1; round <= rounds; round += 1) {
      const row = await killOnce(lab, cluster, primary);
      rows.push(row);
      say(
        `kill ${round}: an answer after ${row.answerMs} ms (application ${row.applicationMs} ms)`,
      );
      await lab.machine(primary).boot();
      startAgent(lab, primary);
      await cluster.waitForStates({ [other(primary)]: "PRIM", [primary]: "SECOND" }, SETTLED_MS);
      primary = other(primary);
    }
  } finally {
    await lab.down();
  }
  return rows;
}

async function killOnce(
  lab: Lab,
  cluster: LabCluster,
  primary: "node1" | "node2",
): Promise<FailoverRow> {
  const seen = silences(lab).length;
  const killedAtMs = Date.now();
  await lab.machine(primary).kill();
  const silence = await waitFor("an answer", () => silences(lab)[seen] ?? null, SETTLED_MS, 20);
  const told = await waitFor(
    "the events of the takeover",
    async () => {
      const events = await cluster.people.events(cluster.module);
      const recent = events.ok
        ? events.value.events.filter((event) => event.atMs >= killedAtMs)
        : [];
      const at = (kind: string) => recent.find((event) => event.kind === kind)?.atMs;
      const [lost, decided, started] = [at("peerLost"), at("epochChanged"), at("scriptStarted")];
      return lost === undefined || decided === undefined || started === undefined
        ? null
        : { lost, decided, started };
    },
    SETTLED_MS,
  );
  return {
    answerMs: silence.atMs - killedAtMs,
    applicationMs: silence.atMs - told.started,
    lostMs: told.lost - killedAtMs,
    decidedMs: told.decided - killedAtMs,
  };
}

function silences(lab: Lab): readonly { readonly silentMs: number; readonly atMs: number }[] {
  return lab
    .machine("client")
    .log("prober")
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): { silentMs: number; atMs: number } => JSON.parse(line));
}

export function failoverTable(rows: readonly FailoverRow[]): string {
  const column = (name: string, of: (row: FailoverRow) => number) => {
    const values = rows.map(of);
    return [name, median(values), Math.min(...values), Math.max(...values)];
  };
  return table([
    [`milliseconds after the kill, ${rows.length} kills`, "median", "least", "most"],
    column("judged lost", (row) => row.lostMs),
    column("new primary decided", (row) => row.decidedMs),
    column("start script begins", (row) => row.answerMs - row.applicationMs),
    column("first answer through the address", (row) => row.answerMs),
    column("of that the application's start", (row) => row.applicationMs),
  ]);
}

/** For `--help`: which machine the figures are of. */
export const machineLine = (): string => {
  const model = /model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  return `${model}, load ${readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ")}`;
};
