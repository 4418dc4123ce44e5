/**
 * A busy tree: how long a small durable write takes while something slow goes on in the same tree.
 * What blocks a file server's one thread shows here and nowhere else.
 */
import { inEachPlace, type Place, worstPlace } from "../place.ts";
import { ensureRandomFiles } from "../random-files.ts";
import { FILE_SYSTEMS, type Row, type Workload } from "../workload.ts";
import { BIG_FILE, BIG_FILE_MIB, dropCaches } from "./reads.ts";

const VICTIM = "victim";

type Slow = {
  readonly name: string;
  readonly title: string;
  /** Makes it slow again: a round needs a cold file, or one to remove. */
  ready(place: Place): Promise<void>;
  command(place: Place): readonly string[];
};

function beside({ name, title, ready, command }: Slow): Workload {
  const rows: readonly Row[] = [
    { key: `${name}-p99`, title: `${title}: 99th percentile`, unit: "ms", better: "less" },
    { key: `${name}-max`, title: `${title}: worst`, unit: "ms", better: "less" },
  ];
  return {
    ...{ name, rows, targets: FILE_SYSTEMS },
    prepare: inEachPlace(async (place) => {
      await ensureRandomFiles(place);
      await place.ensureFile(BIG_FILE, BIG_FILE_MIB);
    }),
    measure: worstPlace(rows, async (place) => {
      await ready(place);
      const { p99Ms = Number.NaN, maxMs = Number.NaN } = await place.program(
        ...(["latency", place.path("random.0"), ...command(place)] as const),
      );
      return { [`${name}-p99`]: p99Ms, [`${name}-max`]: maxMs };
    }),
  };
}

export const BESIDE: readonly Workload[] = [
  beside({
    ...{ name: "beside-read", title: "4 KiB write + fsync beside a cold read" },
    ready: async () => dropCaches(),
    command: (place) => ["dd", `if=${place.path(BIG_FILE)}`, "of=/dev/null", "bs=1M"],
  }),
  beside({
    ...{ name: "beside-unlink", title: "4 KiB write + fsync beside the unlink of 256 MiB" },
    ready: async (place) => {
      await place.ensureFile(VICTIM, BIG_FILE_MIB);
    },
    command: (place) => ["rm", place.path(VICTIM)],
  }),
];
