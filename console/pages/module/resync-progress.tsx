/** How far a resynchronisation is, and what it waits for. */
import ProgressBar from "@cloudscape-design/components/progress-bar";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { bytesText } from "../../view/format.ts";
import { resyncPercent } from "../../view/node-look.ts";

const WAITS_FOR = {
  comparing: "comparing what both have",
  copying: "copying what differs",
  attaching: "attaching the live stream",
  recording: "the witness records it as in sync",
} as const;

/** At 100 % it says what is still waited for, rather than leave people guessing. */
export function Resync({ module }: { readonly module: ModuleView }) {
  const target = module.nodes.find(
    ({ report, silent }) => !silent && report?.replication?.resync != null,
  );
  const resync = target?.report?.replication?.resync ?? null;
  if (target === undefined || resync === null) return null;
  const rate = resync.bytesPerSecond === 0 ? "" : `, ${bytesText(resync.bytesPerSecond)}/s`;
  return (
    <ProgressBar
      value={Math.floor(resyncPercent(resync) ?? 0)}
      label={`Resynchronisation of ${target.nodeId}`}
      description={`${resync.kind === "full" ? "Whole copy" : "Changes only"}: ${WAITS_FOR[resync.phase]}`}
      additionalInfo={`${bytesText(resync.doneBytes)} of ${bytesText(resync.totalBytes)}${rate}`}
    />
  );
}
