/** What sealing costs a 4 KiB write: once at the sender, once at the receiver. */
import { Place } from "../place.ts";
import type { Row, Workload } from "../workload.ts";

const ROW: Row = {
  ...{ key: "encryption", title: "AES-256-GCM: seal and open a 4 KiB write", unit: "us" },
  better: "less",
};

export const ENCRYPTION: Workload = {
  ...{ name: "encryption", rows: [ROW], targets: ["write"] },
  measure: async (target, bench) => {
    const place = new Place(bench.machine("node1"), target.folder);
    const { microseconds = Number.NaN } = await place.program("seal", 1);
    return { encryption: microseconds };
  },
};
