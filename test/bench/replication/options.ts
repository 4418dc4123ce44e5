/** What a run is asked to do. */

export type BenchOptions = {
  readonly rounds: number;
  /** Of each short measure. */
  readonly seconds: number;
  readonly pgbenchSeconds: number;
  readonly peer: "glusterfs" | null;
  /** Names of workloads, in the order they are measured in; null: all. */
  readonly workloads: readonly string[] | null;
  /** Small files that a returning node finds unchanged. */
  readonly files: number;
};

type Words = {
  readonly rounds?: string | undefined;
  readonly seconds?: string | undefined;
  readonly files?: string | undefined;
  readonly peer?: string | undefined;
  readonly workloads?: string | undefined;
};

const PGBENCH_SECONDS = 60;
const SHORT_SECONDS = 2;
const FILES = 100_000;

/** The options, or why they are refused. */
export function readOptions(words: Words, known: readonly string[]): BenchOptions | string {
  const number = (name: "rounds" | "seconds" | "files", normal: number, most: number) => {
    const value = words[name] === undefined ? normal : Number(words[name]);
    return Number.isInteger(value) && value >= 1 && value <= most
      ? value
      : `--${name} ${words[name]}: want a whole number from 1 to ${most}`;
  };
  const rounds = number("rounds", 5, 100);
  const seconds = number("seconds", SHORT_SECONDS, 600);
  const files = number("files", FILES, 2_000_000);
  for (const one of [rounds, seconds, files]) if (typeof one === "string") return one;
  if (words.peer !== undefined && words.peer !== "glusterfs") {
    return `--peer ${words.peer}: the one peer there is is glusterfs`;
  }
  const asked = words.workloads?.split(",") ?? null;
  const unknown = asked?.find((name) => !known.includes(name));
  if (unknown !== undefined) return `no workload ${unknown}; there are ${known.join(", ")}`;
  return {
    ...{ rounds: Number(rounds), seconds: Number(seconds), files: Number(files) },
    pgbenchSeconds: words.seconds === undefined ? PGBENCH_SECONDS : Number(seconds),
    peer: words.peer === undefined ? null : "glusterfs",
    workloads: asked,
  };
}
