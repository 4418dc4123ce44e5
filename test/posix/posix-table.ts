/**
 * What docs/POSIX.md says of the suite, from the suite itself. `node test/posix/posix-table.ts`
 * writes it there; posix-table.test.ts fails while the file says something else.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { FAMILIES } from "./families.ts";
import type { Family } from "./language/parse.ts";

export const DOCUMENT = path.join(import.meta.dirname, "../../docs/POSIX.md");
const BEGIN = "<!-- from the suite: node test/posix/posix-table.ts -->";
const END = "<!-- end -->";

/** A text that Markdown does not take for anything else, within a table too. */
const plain = (text: string): string => text.replaceAll(/[|*<>_`\\]/g, "\\$&");

const differing = ({ cases }: Family) => cases.filter(({ why }) => why !== null);

function table(): string {
  const rows = FAMILIES.map((family) => {
    const [calls = "", what = ""] = family.title.split(": ");
    const count = family.cases.length;
    return `| ${plain(calls)} | ${plain(what)} | ${count} | ${differing(family).length || ""} |`;
  });
  const sum = (of: (family: Family) => number) =>
    FAMILIES.reduce((total, family) => total + of(family), 0);
  const total = sum(({ cases }) => cases.length);
  return [
    "| calls | what | cases | with a known difference |",
    "| --- | --- | --- | --- |",
    ...rows,
    `| **all** | | **${total}** | **${sum((family) => differing(family).length)}** |`,
  ].join("\n");
}

function differences(): string {
  return FAMILIES.flatMap((family) =>
    differing(family).map(({ name, steps, why }) => {
      const answers = steps.flatMap(({ text, expected, expectedOfMount }) =>
        expectedOfMount === null || expectedOfMount === "?"
          ? []
          : [`\`${text}\`: ${expected === "?" ? "an answer" : expected}, here ${expectedOfMount}`],
      );
      const seen = answers.length === 0 ? "" : ` (${answers.join("; ")})`;
      return `- **${plain(name)}**: ${plain(why ?? "")}${seen}`;
    }),
  ).join("\n");
}

function holding(): string {
  return FAMILIES.map((family) => {
    const names = family.cases.map(({ name }) => `- ${plain(name)}`);
    return `### ${plain(family.title)}\n\n${names.join("\n")}`;
  }).join("\n\n");
}

/** The document with the suite's part as it is now. */
export function renewed(document: string): string {
  const before = document.slice(0, document.indexOf(BEGIN));
  const after = document.slice(document.indexOf(END));
  const parts = [
    table(),
    "## Known differences",
    differences(),
    "## What holds, case by case",
    holding(),
  ];
  return `${before}${BEGIN}\n\n${parts.join("\n\n")}\n\n${after}`;
}

if (import.meta.main) writeFileSync(DOCUMENT, renewed(readFileSync(DOCUMENT, "utf8")));
