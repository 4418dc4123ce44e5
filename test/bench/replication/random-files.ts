/** The files that 4 KiB writes go to. */
import type { FioOptions } from "./fio.ts";
import type { Place } from "./place.ts";

const FILE_MIB = 64;
const JOBS_MAX = 4;

/** One file a job, written before: what is measured is not the allocation of blocks. */
export const ensureRandomFiles = async (place: Place): Promise<void> => {
  for (let job = 0; job < JOBS_MAX; job += 1) await place.ensureFile(`random.${job}`, FILE_MIB);
};

export const randomWrites = (jobs: number, seconds: number): FioOptions => ({
  ...{ rw: "randwrite", bs: "4k", size: `${FILE_MIB}M`, numjobs: jobs },
  ...{ filename_format: "random.$jobnum", time_based: 1, runtime: seconds },
});
