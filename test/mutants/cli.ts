/** `node test/mutants/cli.ts [ID ...] [--json]`: each mutant must be noticed; exit code 1 if one is not. */
import { parseArgs } from "node:util";
import { runMutant, type Verdict } from "./run-mutants.ts";
import { MUTANTS } from "./table.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const chosen = MUTANTS.filter((m) => positionals.length === 0 || positionals.includes(m.id));
const verdicts: Verdict[] = [];
for (const mutant of chosen) {
  const verdict = await runMutant(mutant);
  verdicts.push(verdict);
  if (!values.json) console.log(lineOf(verdict));
}
const missed = verdicts.filter((v) => v.caughtBy === null);
if (values.json) console.log(JSON.stringify({ mutants: verdicts, missed: missed.length }));
else console.log(`\n${verdicts.length - missed.length} of ${verdicts.length} mutants were noticed`);
process.exit(missed.length > 0 ? 1 : 0);

function lineOf(v: Verdict): string {
  const end =
    v.caughtBy !== null
      ? `${v.caughtBy}: ${v.promise}`
      : `NOT NOTICED${v.fault === null ? "" : ` (${v.fault})`}`;
  return `${v.id}  ${v.wrong}\n     ${end} (${v.seconds} s)`;
}
