/** A large file from its beginning to its end, on the disk when it returns. */
import { type FioOptions, fio } from "../fio.ts";
import { inEachPlace, worstPlace } from "../place.ts";
import { type Row, WITH_DUAL, type Workload } from "../workload.ts";

const FILE_MIB = 256;
const WRITE: FioOptions = {
  ...{ rw: "write", bs: "1M", size: `${FILE_MIB}M`, filename: "sequential", end_fsync: 1 },
};

function sequential(name: string, title: string, isFresh: boolean): Workload {
  const row: Row = { key: name, title, unit: "MB/s", better: "more" };
  return {
    ...{ name, rows: [row], targets: WITH_DUAL },
    prepare: inEachPlace((place) => place.ensureFile("sequential", FILE_MIB)),
    measure: worstPlace([row], async (place) => {
      if (isFresh) await place.run(["rm", "-f", place.path("sequential")]);
      const how: FioOptions = isFresh ? { create_on_open: 1 } : { overwrite: 1 };
      const { megabytesPerSecond } = await fio(place, { ...WRITE, ...how });
      return { [name]: megabytesPerSecond };
    }),
  };
}

export const SEQUENTIAL_WRITES: readonly Workload[] = [
  sequential("sequential-fresh", "1 MiB sequential write + fsync, a new file", true),
  sequential("sequential-written", "1 MiB sequential write + fsync, over an old file", false),
];
