/** fio(1), the field's own meter of block sizes and flushes; its JSON, as far as we look at it. */
import type { Place } from "./place.ts";

export type FioOptions = Readonly<Record<string, string | number>>;

type FioDirection = { readonly iops: number; readonly bw_bytes: number };
type FioOutput = {
  readonly jobs: readonly { readonly read: FioDirection; readonly write: FioDirection }[];
};

export type FioFigures = {
  /** Blocks per second, all jobs together. */
  readonly iops: number;
  /** Millions of bytes per second. */
  readonly megabytesPerSecond: number;
};

/** Synchronous calls, one file a job (`FILE.0`, `FILE.1`, …) unless `filename` is given. */
export async function fio(place: Place, options: FioOptions): Promise<FioFigures> {
  return parseFio(await place.run(fioCommand(place, options)));
}

export const fioCommand = (place: Place, options: FioOptions): string[] => [
  ...["fio", "--name=bench", "--output-format=json", "--ioengine=psync", "--group_reporting"],
  // Not thrown out of the cache by fio itself: a measure says so where it wants a cold one.
  ...[`--directory=${place.folder}`, "--invalidate=0", "--fallocate=none"],
  ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
];

export function parseFio(text: string): FioFigures {
  // Its notes come before the JSON.
  const output: FioOutput = JSON.parse(text.slice(text.indexOf("{\n")));
  const [job] = output.jobs;
  if (job === undefined) throw new Error("fio ran no job");
  const { iops, bw_bytes } = job.read.bw_bytes > 0 ? job.read : job.write;
  return { iops, megabytesPerSecond: bw_bytes / 1e6 };
}
