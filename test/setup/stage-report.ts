/**
 * What a stage's tests came to, as lines of JSON in a file. Each is written when it is known, so
 * that a stage that hangs and is stopped still tells what passed, and what was running.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import * as z from "zod/mini";

const Line = z.object({
  what: z.enum(["began", "passed", "failed", "skipped", "fileEnded"]),
  name: z.string(),
});
type Line = z.infer<typeof Line>;

export type StageReport = {
  readonly passed: number;
  readonly failed: number;
  /** Full names; by convention `(needs …)` in one says what was not there. */
  readonly skipped: readonly string[];
  /** Tests and files that began and never ended. */
  readonly running: readonly string[];
};

/** Beside Vitest's own reporter, which is for people. */
export class StageReporter implements Reporter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  #write(line: Line): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }

  /** The file too, as a test that never lets go of its thread is not even heard to begin. */
  onTestModuleStart(module: TestModule): void {
    this.#write({ what: "began", name: module.relativeModuleId });
  }

  onTestCaseReady(test: TestCase): void {
    this.#write({ what: "began", name: test.fullName });
  }

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state !== "pending") this.#write({ what: state, name: test.fullName });
  }

  /** A file that could not be loaded, or a hook that failed: no test of its own says so. */
  onTestModuleEnd(module: TestModule): void {
    const suites = [...module.children.allSuites()];
    const errors = [module, ...suites].flatMap((one) => one.errors());
    const what = errors.length > 0 ? "failed" : "fileEnded";
    this.#write({ what, name: module.relativeModuleId });
  }
}

/** What the file says; nothing at all where there is none. */
export function readReport(path: string): StageReport {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Line.parse(JSON.parse(line)));
  const names = (what: Line["what"]) =>
    lines.filter((line) => line.what === what).map(({ name }) => name);
  const [passed, failed, skipped] = [names("passed"), names("failed"), names("skipped")];
  const ended = new Set([...passed, ...failed, ...skipped, ...names("fileEnded")]);
  return {
    passed: passed.length,
    failed: failed.length,
    skipped,
    running: names("began").filter((name) => !ended.has(name)),
  };
}
