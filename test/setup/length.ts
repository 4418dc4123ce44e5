/**
 * How long tests live: short in `npm test`, long in `npm run test:long`, whose `--rounds N` makes
 * them N times as long. What that means for each stage stands in test/run.ts.
 */
export const IS_LONG = process.env["MIRRORFARM_LONG"] === "1";
export const ROUNDS = Number(process.env["MIRRORFARM_ROUNDS"] || 1);
/** How many times as many random cases a long run of one round takes. */
const LONG_FACTOR = 10;
/** Past that a timer of Node's would end at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** How many random cases to take, where the short form takes `count`. */
export const cases = (count: number): number => (IS_LONG ? count * LONG_FACTOR * ROUNDS : count);

/** A bound for a test whose cases grow with the length. */
export const bound = (milliseconds: number): number => Math.min(cases(milliseconds), TIMER_MS_MAX);
