/**
 * `npm run sim`: lives through many histories of the simulated world.
 *
 *   npm run sim -- --seeds 1000 [--seed S] [--hours H] [--json] [--trace FILE] [--all]
 *
 * `--seed S` is the first seed (with `--seeds 1`, the default when it is given: only that one).
 * `--hours H`: how long the faults of each seed last, simulated. It stops at the first violation;
 * `--all` goes on. Ends with 1 when a judge found something, or a whole batch never saw something
 * that it must have seen (coverage.ts).
 *
 *   npm run sim -- --mutants [ID ...]      plants wrong products; each must be noticed
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { reportMutants } from "../mutants/report-mutants.ts";
import { runBatch } from "./batch.ts";

const HOURS = 300 / 3600;
/** So many see everything that there is to see (sim.test.ts: 150 do). */
const SEEDS_THAT_SEE_ALL = 300;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mutants: { type: "boolean", default: false },
    seeds: { type: "string" },
    seed: { type: "string" },
    hours: { type: "string" },
    json: { type: "boolean", default: false },
    trace: { type: "string" },
    first: { type: "boolean", default: true },
    all: { type: "boolean", default: false },
    faults: { type: "string" },
    "no-skip": { type: "boolean", default: false },
    "no-shrink": { type: "boolean", default: false },
    eventual: { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
  },
});

function number(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isFinite(value)) return value;
  console.error(`not a number: ${text}`);
  process.exit(2);
}

if (values.mutants) {
  const missed = await reportMutants(positionals, values.json);
  if (!missed.ok) console.error(missed.error);
  process.exit(missed.ok ? Math.min(1, missed.value) : 2);
}
if (positionals.length > 0) {
  console.error(`what is ${positionals.join(" ")}?`);
  process.exit(2);
}
const traceFile = values.trace === undefined ? null : openSync(values.trace, "w");
const first = number(values.seed, 1);
const result = await runBatch({
  first,
  seeds: number(values.seeds, values.seed === undefined ? 100 : 1),
  hours: number(values.hours, HOURS),
  stopsAtFirst: !values.all,
  skips: !values["no-skip"],
  shrinks: !values["no-shrink"] && !values.json,
  isEventual: values.eventual,
  onlyFaults: values.faults?.split(",").map(Number) ?? null,
  ...(traceFile === null ? {} : { write: (line) => void writeSync(traceFile, `${line}\n`) }),
  say: (text) => {
    if (!values.json) console.log(text);
  },
});
if (traceFile !== null) closeSync(traceFile);
const mustSeeAll = values.coverage || result.seeds >= SEEDS_THAT_SEE_ALL;
const isUncovered = mustSeeAll && result.missing.length > 0;
if (values.json) console.log(JSON.stringify(result));
process.exit(result.violations.length > 0 || isUncovered ? 1 : 0);
