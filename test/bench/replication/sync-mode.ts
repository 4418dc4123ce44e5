/**
 * Does a build act on sync="fsync"? Looked at, not read off: the other node stands still for a
 * moment, and a plain write either waits for it or does not.
 */
import type { BenchLab } from "./bench-lab.ts";
import { Place } from "./place.ts";
import { TARGETS } from "./targets.ts";

/** Well below the time after which a silent node is judged lost. */
const STILL_MS = 500;
/** A write that waited for the other node took about as long as that one stood still. */
const WAITED_MS = 300;
/** A busy machine can make any write slow; it makes none fast. */
const TRIALS_MAX = 3;

/** Null when plain writes do not wait; otherwise why the target `fsync` is not measured. */
export async function whyNoFsyncMode(bench: BenchLab): Promise<string | null> {
  const place = new Place(bench.machine("node1"), TARGETS.fsync.folder);
  const other = bench.machine("node2");
  const file = await place.ensureFile("probe", 1);
  let longestMs = Number.POSITIVE_INFINITY;
  for (let trial = 0; trial < TRIALS_MAX && longestMs >= WAITED_MS; trial += 1) {
    const writing = place.program("longest-write", file, 4 * STILL_MS);
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    other.freeze();
    try {
      await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    } finally {
      other.thaw();
    }
    longestMs = Math.min(longestMs, (await writing)["longestMs"] ?? longestMs);
  }
  return longestMs < WAITED_MS
    ? null
    : `with sync="fsync" a plain write still waits for the other node (${Math.round(longestMs)} ms while that one stood still)`;
}
