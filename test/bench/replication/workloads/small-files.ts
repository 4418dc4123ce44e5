/** Many small files, one after the other: create, 4 KiB, close, unlink. */
import { worstPlace } from "../place.ts";
import { FILE_SYSTEMS, type Row, WITH_DUAL, type Workload } from "../workload.ts";

/** Bounded by number too, so that no disk runs out of inodes. */
const FILES_MAX = 20_000;

function smallFiles(name: string, title: string, isSynced: boolean): Workload {
  const row: Row = { key: name, title, unit: "/s", better: "more" };
  return {
    ...{ name, rows: [row], targets: isSynced ? WITH_DUAL : FILE_SYSTEMS },
    measure: worstPlace([row], async (place, { options }) => {
      const how = isSynced ? "fsync" : "plain";
      const folder = place.path("small");
      const { perSecond = Number.NaN } = await place.program(
        ...(["small-files", folder, how, FILES_MAX, options.seconds] as const),
      );
      return { [name]: perSecond };
    }),
  };
}

export const SMALL_FILES: readonly Workload[] = [
  smallFiles("small-fsync", "small files: create, 4 KiB, fsync, close, unlink", true),
  smallFiles("small", "small files: create, 4 KiB, close, unlink", false),
];
