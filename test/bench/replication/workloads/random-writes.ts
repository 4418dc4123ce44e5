/** 4 KiB at random places of existing files, durable and not: what databases do. */
import { type FioOptions, fio } from "../fio.ts";
import { measureFloor } from "../floor.ts";
import { inEachPlace, worstPlace } from "../place.ts";
import { ensureRandomFiles, randomWrites } from "../random-files.ts";
import { FILE_SYSTEMS, type Row, WITH_DUAL, type Workload } from "../workload.ts";

function durable(name: string, title: string, jobs: number, how: FioOptions): Workload {
  const row: Row = { key: name, title, unit: "/s", better: "more" };
  return {
    ...{ name, rows: [row], targets: WITH_DUAL },
    prepare: inEachPlace(ensureRandomFiles),
    measure: worstPlace([row], async (place, { options }) => {
      const { iops } = await fio(place, { ...randomWrites(jobs, options.seconds), ...how });
      return { [name]: iops };
    }),
  };
}

/** A write returns when both nodes have it, in their memory. */
function buffered(jobs: number): Workload {
  const name = `buffered-${jobs}`;
  const title = `4 KiB random write, buffered, ${jobs} job${jobs > 1 ? "s" : ""}`;
  const row: Row = { key: name, title, unit: "/s", better: "more" };
  const onFileSystem = worstPlace([row], async (place, { options }) => {
    const { iops } = await fio(place, randomWrites(jobs, options.seconds));
    return { [name]: iops };
  });
  return {
    ...{ name, rows: [row], targets: [...FILE_SYSTEMS, "floor"] },
    prepare: inEachPlace(ensureRandomFiles),
    measure: async (target, bench) =>
      target.name === "floor"
        ? { [name]: await measureFloor(bench, jobs) }
        : await onFileSystem(target, bench),
  };
}

export const RANDOM_WRITES: readonly Workload[] = [
  durable("fsync-1", "4 KiB random write + fsync, 1 job", 1, { fsync: 1 }),
  durable("fsync-4", "4 KiB random write + fsync, 4 jobs", 4, { fsync: 1 }),
  durable("dsync-1", "4 KiB random write, O_DSYNC, 1 job", 1, { sync: "dsync" }),
  buffered(1),
  buffered(4),
];
