import { err, ok, type Result } from "#model/shared/result.ts";
import { runMutants, type Verdict } from "./run-mutants.ts";
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
  const asked = MUTANTS.filter((m) => ids.length === 0 || ids.includes(m.id));
  let ended = 0;
  const verdicts = await runMutants(asked, (verdict) => {
    ended += 1;
    if (!isJson) console.log(lineOf(verdict, `${ended} of ${asked.length}`));
  });
  const missed = verdicts.filter((v) => v.caughtBy === null).length;
  const byExplore = verdicts.filter((v) => v.caughtBy?.startsWith("explore")).length;
  if (isJson) {
    console.log(JSON.stringify({ mutants: verdicts, missed, byExplore }));
  } else {
    const noticed = verdicts.length - missed;
    console.log(
      `\n${noticed} of ${verdicts.length} mutants were noticed, ${byExplore} by exploration`,
    );
  }
  return ok(missed);
}

function lineOf(v: Verdict, progress: string): string {
  const end =
    v.caughtBy !== null
      ? `${v.promise}\n     ${v.caughtBy}, ${v.seconds} s`
      : `NOT NOTICED${v.fault === null ? "" : ` (${v.fault})`}, ${v.seconds} s`;
  return `${v.id}  ${v.wrong}  (${progress})\n     ${end}`;
}
