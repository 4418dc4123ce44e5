import { nearestWord } from "./suggest.ts";

/** What is wrong, or only not acted on, in a configuration file, and where. */
export type Problem = {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** From 1. Columns count characters (code points), so that an editor lands on the place. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The line of the source, cut to `SOURCE_LINE_MAX`, for showing. */
  readonly sourceLine: string;
  readonly previousLine: string | null;
};

/** More errors than this help nobody, and a hostile file must not make a report of any size. */
export const PROBLEMS_MAX = 50;
/** A line longer than this is not shown: a caret under column 40 000 helps nobody. */
const SOURCE_LINE_MAX = 200;
/** A quoted value in a message is cut here. */
const QUOTED_MAX = 80;

/** `file:line:column: error: message`, the line before, the line, and a caret under the place. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, severity, message, sourceLine, previousLine } = problem;
  const head = `${file}:${line}:${column}: ${severity}: ${message}`;
  const width = Math.max(5, String(line).length + 2);
  const before =
    previousLine === null ? [] : [`  ${String(line - 1).padStart(width - 2)} | ${previousLine}`];
  const place = `> ${String(line).padStart(width - 2)} | ${sourceLine}`;
  const shown = [...sourceLine];
  if (column > shown.length + 1) return [head, ...before, place].join("\n");
  // Tabs stay tabs, so that the caret stands under its place however wide a tab is shown.
  const padding = shown.slice(0, column - 1).map((character) => (character === "\t" ? "\t" : " "));
  const caret = `  ${" ".repeat(width - 2)} | ${padding.join("")}^`;
  return [head, ...before, place, caret].join("\n");
}

/** A value of the file as it may stand in a message: quoted, cut, control characters escaped. */
export function quote(value: string): string {
  const cut = cutText(value, QUOTED_MAX, "…");
  return JSON.stringify(cut).replace(UNPRINTABLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
/** Controls, and the marks that hide or reorder text (Unicode TR 36, "bidirectional spoofing"). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `, did you mean "x"?` or nothing. */
export function didYouMean(wrong: string, known: readonly string[]): string {
  const nearest = nearestWord(wrong, known);
  return nearest === null ? "" : `, did you mean ${quote(nearest)}?`;
}

/**
 * Collects what is wrong with one text. Offsets are into that text, with line ends as `\n`.
 * Every error is kept up to `PROBLEMS_MAX`; warnings have a bound of their own, so that they
 * never push an error out.
 */
export class ProblemCollector {
  readonly #file: string;
  readonly #text: string;
  readonly #lines: readonly string[];
  readonly #lineStarts: readonly number[];
  readonly #errors: { problem: Problem; offset: number }[] = [];
  readonly #warnings: { problem: Problem; offset: number }[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#lines = text.split("\n");
    let start = 0;
    this.#lineStarts = this.#lines.map((line) => {
      const lineStart = start;
      start += line.length + 1;
      return lineStart;
    });
  }

  get hasErrors(): boolean {
    return this.#errors.length > 0;
  }
  /** One more error would not be kept, so nobody need work out what it says. */
  get isFull(): boolean {
    return this.#errors.length >= PROBLEMS_MAX;
  }
  /** In the order of the file. */
  get errors(): readonly Problem[] {
    return inOrder(this.#errors);
  }
  /** In the order of the file. */
  get warnings(): readonly Problem[] {
    return inOrder(this.#warnings);
  }

  error(offset: number, message: string): void {
    if (this.isFull) return;
    this.#errors.push({ problem: this.#problem("error", offset, message), offset });
  }

  warn(offset: number, message: string): void {
    if (this.#warnings.length >= PROBLEMS_MAX) return;
    this.#warnings.push({ problem: this.#problem("warning", offset, message), offset });
  }

  #problem(severity: Problem["severity"], offset: number, message: string): Problem {
    const index = this.#lineIndexOf(Math.min(offset, this.#text.length));
    const start = this.#lineStarts[index] ?? 0;
    const column = charactersIn(this.#text, start, offset) + 1;
    const sourceLine = cutLine(this.#lines[index] ?? "");
    const previousLine = index === 0 ? null : cutLine(this.#lines[index - 1] ?? "");
    const line = index + 1;
    return { severity, file: this.#file, line, column, message, sourceLine, previousLine };
  }

  #lineIndexOf(offset: number): number {
    let [low, high] = [0, this.#lineStarts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const inOrder = (found: readonly { problem: Problem; offset: number }[]): readonly Problem[] =>
  found.toSorted((left, right) => left.offset - right.offset).map(({ problem }) => problem);

function cutLine(line: string): string {
  // What a terminal would obey, or an editor reorder, is not shown. A tab is harmless.
  const cut = cutText(line, SOURCE_LINE_MAX, "");
  return cut.replace(UNPRINTABLE, (found) => (found === "\t" ? found : "\u{fffd}"));
}

/** At most so many characters, and the mark if there were more. Never looks at all of a long text. */
function cutText(text: string, charactersMax: number, mark: string): string {
  const characters = [...text.slice(0, 2 * charactersMax + 2)];
  return characters.length <= charactersMax
    ? text
    : `${characters.slice(0, charactersMax).join("")}${mark}`;
}

/** Code points between two offsets: all code units but the second halves of pairs. */
function charactersIn(text: string, start: number, end: number): number {
  let count = 0;
  for (let index = start; index < end; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}
