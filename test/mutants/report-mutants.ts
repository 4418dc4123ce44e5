import { err, ok, type Result } from "#model/shared/result.ts";
import { runMutant, type Verdict } from "./run-mutants.ts";
import { MUTANTS } from "./table.ts";

/**
 * `npm run sim -- --mutants [ID ...] [--json]`: each mutant must be noticed. Answers with how many
 * were not, or with what is wrong with the question.
 */
export async function reportMutants(
  ids: readonly string[],
  isJson: boolean,
): Promise<Result<number, string>> {
  const unknown = ids.filter((id) => !MUTANTS.some((m) => m.id === id));
  if (unknown.length > 0) {
    const known = MUTANTS.map((m) => m.id).join(" ");
    return err(`no mutant ${unknown.join(", ")}; there are ${known}`);
  }
  const verdicts: Verdict[] = [];
  for (const mutant of MUTANTS.filter((m) => ids.length === 0 || ids.includes(m.id))) {
    const verdict = await runMutant(mutant);
    verdicts.push(verdict);
    if (!isJson) console.log(lineOf(verdict));
  }
  const missed = verdicts.filter((v) => v.caughtBy === null).length;
  if (isJson) console.log(JSON.stringify({ mutants: verdicts, missed }));
  else console.log(`\n${verdicts.length - missed} of ${verdicts.length} mutants were noticed`);
  return ok(missed);
}

function lineOf(v: Verdict): string {
  const end =
    v.caughtBy !== null
      ? `${v.caughtBy}: ${v.promise}`
      : `NOT NOTICED${v.fault === null ? "" : ` (${v.fault})`}`;
  return `${v.id}  ${v.wrong}\n     ${end} (${v.seconds} s)`;
}
