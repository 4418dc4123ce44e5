/**
 * Random programs on a bare directory and on a replicating pair, as root:
 *
 *   node test/posix/differential/main.ts SEED [COUNT]
 *
 * runs COUNT seeds from SEED on, and shrinks the first that goes wrong.
 */
import { runSeeds } from "./seeds.ts";

const [from = 1, count = 1] = process.argv.slice(2).map(Number);
const seeds = Array.from({ length: count }, (_, at) => from + at);
const found = await runSeeds(seeds, (text) => console.log(text));
if (found !== null) console.log(found.short);
process.exit(found === null ? 0 : 1);
