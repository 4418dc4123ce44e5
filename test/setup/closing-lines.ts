/** The end of `npm test`: a row for each stage, and a last line that is the result. Pure. */

export type StageEnd = {
  readonly name: string;
  readonly seconds: number;
  readonly budgetMinutes: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
};

/** A stage that was not begun, and what it needs. */
export type NotBegun = { readonly name: string; readonly needs: string };

const plural = (count: number): string => `${count} ${count === 1 ? "test" : "tests"}`;
const asRoot = (stages: readonly string[]): string => `sudo npm test -- ${stages.join(" ")}`;

/** Of `… (needs root)`: `needs root`. Names without it were skipped by the test itself. */
const needOf = (name: string): string => /\((needs [^()]+)\)/.exec(name)?.[1] ?? "skipped";

export function closingLines(
  ends: readonly StageEnd[],
  notBegun: readonly NotBegun[],
): readonly string[] {
  const rows = ends.map((end) => {
    const over = end.seconds > end.budgetMinutes * 60 ? "  over budget" : "";
    const counts = `${end.passed} passed, ${end.failed} failed, ${end.skipped.length} not run`;
    return `${end.name.padEnd(10)} ${end.seconds.toFixed(0).padStart(5)} s  ${counts}${over}`;
  });
  const sum = (count: (end: StageEnd) => number) =>
    ends.reduce((total, end) => total + count(end), 0);
  const result = `${sum((end) => end.passed)} passed, ${sum((end) => end.failed)} failed`;
  const parts = [
    ...ends.flatMap((end) => partsNotRun(end)),
    ...notBegun.map(({ name, needs }) => ({ stage: name, text: `${name} (${needs})`, needs })),
  ];
  if (parts.length === 0) return [...rows, "", result];
  const rooted = parts.filter(({ needs }) => needs.startsWith("needs root"));
  const stages = [...new Set(rooted.map(({ stage }) => stage))];
  const remedy = stages.length === 0 ? "" : `. To run what needs root: ${asRoot(stages)}`;
  const named = parts.map(({ text }) => text).join(", ");
  return [...rows, "", result, `NOT RUN: ${named}${remedy}`];
}

type PartNotRun = { readonly stage: string; readonly text: string; readonly needs: string };

/** The skipped tests of a stage by what they need: a few words, however many they are. */
function partsNotRun({ name, passed, failed, skipped }: StageEnd): readonly PartNotRun[] {
  if (passed + failed + skipped.length === 0) {
    return [{ stage: name, text: `${name} (has no tests)`, needs: "" }];
  }
  const byNeed = Map.groupBy(skipped, needOf);
  return [...byNeed].map(([needs, names]) => ({
    ...{ stage: name, needs },
    text: `${plural(names.length)} of ${name} (${needs})`,
  }));
}
