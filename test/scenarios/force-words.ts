import type { Command } from "#model/quorum/types.ts";

type Force = Extract<Command, { kind: "forcePrimary" }>;

/** A person's force, as from a page that showed `seenEpoch`. */
export const force = (seenEpoch: number, withoutWitness = false): Force => ({
  kind: "forcePrimary",
  seenEpoch,
  historyId: "forced-1",
  by: "ann",
  reason: "the other is lost",
  withoutWitness,
});
