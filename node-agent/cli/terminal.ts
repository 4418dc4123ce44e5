import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import type { Tone } from "#model/states/node-state.ts";

/** Where a command writes and whom it asks; tests bring their own. */
export type Terminal = {
  /** Data. */
  out(text: string): void;
  /** Progress, questions, problems. */
  err(text: string): void;
  /** Somebody sits there who can answer. */
  readonly isInteractive: boolean;
  /** Standard output is a screen: it may be redrawn and coloured. */
  readonly isScreen: boolean;
  ask(question: string): Promise<string>;
  nowMs(): number;
  /** Ends with Ctrl-C. */
  readonly signal: AbortSignal;
};

/** The real one. `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are judged by `styleText` itself. */
export function processTerminal(signal: AbortSignal): Terminal {
  return {
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    isScreen: process.stdout.isTTY === true,
    async ask(question) {
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await lines.question(question, { signal });
      } finally {
        lines.close();
      }
    },
    nowMs: () => Date.now(),
    signal,
  };
}

const COLOURS = {
  success: "green",
  info: "blue",
  warning: "yellow",
  error: "red",
  stopped: "gray",
  pending: "gray",
  progress: "cyan",
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

/** Text in the colour of its tone, where standard output takes colours. The word says it too. */
export const toned = (tone: Tone, text: string): string =>
  styleText(COLOURS[tone], text, { stream: process.stdout, validateStream: true });

const ESCAPE = String.fromCharCode(27);
const COLOUR_CODES = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");
const widthOf = (text: string): number => text.replace(COLOUR_CODES, "").length;

/** Columns aligned by spaces; the last one is never padded, so nothing trails. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, at) => Math.max(...all.map((row) => widthOf(row[at] ?? ""))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => text + " ".repeat(Math.max(0, (widths[at] ?? 0) - widthOf(text))))
      .join("  ")
      .trimEnd();
  return all.map(line).join("\n");
}

/** How long ago, in the largest two units: `2d 3h`, `5m 10s`, `0s`. */
export function age(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - fromMs) / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count}${unit}`).join(" ");
}

/** Control characters made visible: what a node, module or script calls itself must not steer us. */
export const plain = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** `90s`, `5m`, `1h`, `2d` (a bare number counts seconds) as milliseconds; null when it is none. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = "s"] = /^([0-9]{1,6})(ms|s|m|h|d)?$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
  return factor === undefined ? null : Number(digits) * factor;
}
