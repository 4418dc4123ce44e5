/** What the agent itself takes: memory and descriptors, when idle and with many files known. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { agentProcessId } from "../../../lab/agent-process.ts";
import type { BenchLab } from "../bench-lab.ts";
import { Place } from "../place.ts";
import type { Figures, Row, Workload } from "../workload.ts";
import { MANY_FILES_FOLDER } from "./resync.ts";

const rowsOf = (when: string, title: string): readonly Row[] => [
  { key: `rss-${when}`, title: `memory of an agent, ${title}`, unit: "MB", better: "less" },
  { key: `descriptors-${when}`, title: "  its descriptors", unit: "", better: "less" },
];

/** The larger of both nodes' agents. */
export function footprint(bench: BenchLab, when: string): Figures {
  const nodes = (["node1", "node2"] as const).map((node) => {
    const id = agentProcessId(bench.machine(node));
    if (id === null || !existsSync(`/proc/${id}/status`)) throw new Error(`no agent on ${node}`);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1];
    return { rss: (Number(kilobytes) * 1024) / 1e6, open: readdirSync(`/proc/${id}/fd`).length };
  });
  return {
    [`rss-${when}`]: Math.max(...nodes.map(({ rss }) => rss)),
    [`descriptors-${when}`]: Math.max(...nodes.map(({ open }) => open)),
  };
}

/** Taken when the first module has just settled, before anything else runs. */
export class Idle {
  figures: Figures | null = null;

  workload(): Workload {
    return {
      ...{ name: "idle", rows: rowsOf("idle", "idle"), targets: ["write"], roundsMax: 1 },
      measure: async () => {
        if (this.figures === null) throw new Error("nobody looked while the agent was idle");
        return this.figures;
      },
    };
  }
}

/** After `resync-unchanged`, whose files it looks through, so that the kernel knows all of them. */
export const WITH_FILES: Workload = {
  ...{ name: "files", rows: rowsOf("files", "with the many files known"), targets: ["write"] },
  roundsMax: 1,
  measure: async (_target, bench) => {
    const place = new Place(bench.machine("node1"), MANY_FILES_FOLDER);
    await place.shell('find "$1" -size +0 > /dev/null', place.folder);
    return footprint(bench, "files");
  },
};
