import { ADDRESS_FAULTS } from "./sim-address-driver.ts";

/**
 * What a batch must have seen at least once, or it proves less than it seems to: the rows of the
 * fault matrix whose fault lies in this world, and the moments at which protocols break.
 */
const ROWS = [
  ...["C01", "C02", "C03", "C04", "C05", "C06", "C07", "C08", "C09", "C10", "C11", "C12"],
  ...["C13", "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21", "C22", "C24", "C25", "C26"],
  ...[
    "C27",
    "C28",
    "C29",
    "C30",
    "C31",
    "C34",
    "C36",
    "C38",
    "C40",
    "C41",
    "C42",
    "C43",
    "C45",
    "C46",
  ],
  ...["C47", "C48", "C50", "C51", "C52", "C53", "C54"],
];

const MOMENTS = [
  "two modules",
  ...ADDRESS_FAULTS.map((fault) => `address ${fault}`),
  ...["late ack", "freeze between a call and its answer", "a shrink races with a promotion"],
  ...["a shrink wins its race", "a promotion wins its race"],
  ...["stop: done", "stop: unknown", "switchover: done", "switchover: refused"],
  ...["force-primary: done", "force-primary: unknown", "maintenance-on: done"],
  ...["in-sync set of 1", "in-sync set of 2", "a took over", "b took over", "forced start"],
  ...["decided by the pair", "standing vote", "epoch >= 10", "W restored"],
  ...["a request delivered late", "guard fences", "the pair's epoch above W's"],
  ...["an unanswered grow at a failover", "a release taken up", "freeze paused", "freeze stopped"],
  ...["sync=write", "sync=fsync"],
  ...["boot with {a}", "boot with {b}", "boot with {a,b}"],
  ...["grant", "promote", "grow"].map((kind) => `lost reply of ${kind}`),
  ...["comparing", "catchingUp", "finalPass", "syncing"].map((phase) => `resync cut in ${phase}`),
  ...["epoch", "inSync", "outdated", "joining", "asked", "released", "standingVotes"].map(
    (field) => `crash after ${field}`,
  ),
];

/** Seen in a batch of a thousand, or more: several rare things must come together. */
const RARE = [
  "a shrink beside a late grow",
  "a promotion granted, its answer lost, the link healed",
  "switchover: failed",
];
const SEEDS_THAT_SEE_THE_RARE = 1000;

export const missingOf = (seen: ReadonlySet<string>, seeds: number): readonly string[] => {
  const wanted = [...ROWS, ...MOMENTS, ...(seeds >= SEEDS_THAT_SEE_THE_RARE ? RARE : [])];
  return wanted.filter((what) => !seen.has(what));
};
