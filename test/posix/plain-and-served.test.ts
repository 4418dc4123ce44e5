/** The cases (cases.ts) see the same through the mount as in a plain directory, and so does a copy. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALL_CASES } from "./cases.ts";
import { ServedDirectory, temporaryFolder, whyNotRun } from "./served-directory.ts";
import { treeFacts } from "./tree-facts.ts";

const notRun = whyNotRun();
const CASES_MS_MAX = 60_000;
const RUN = path.join(import.meta.dirname, "run-cases.ts");

/** In a process of its own: one that uses the mount must be one that can be killed. */
function run(directory: string): Record<string, unknown> {
  const output = execFileSync(process.execPath, [RUN, directory], { timeout: CASES_MS_MAX });
  return JSON.parse(output.toString());
}

describe.skipIf(notRun !== null)(`a served directory ${notRun ?? ""}`, () => {
  let folder: ReturnType<typeof temporaryFolder> | null = null;
  let copy = "";
  let expected: Record<string, unknown> = {};
  let seen: Record<string, unknown> = {};
  let real: string[] = [];
  let faults: readonly string[] = [];

  beforeAll(async () => {
    folder = temporaryFolder();
    // The cases of a user without rights must get in, too.
    chmodSync(folder.path, 0o755);
    const plain = path.join(folder.path, "plain");
    const served = path.join(folder.path, "served");
    copy = path.join(folder.path, "copy");
    for (const each of [plain, served, copy]) mkdirSync(each);
    expected = run(plain);
    const server = await ServedDirectory.start({ path: served, copyTo: copy });
    try {
      seen = run(served);
      faults = (await server.tell("flushTimes")).faults;
      await server.stop();
    } finally {
      server.kill();
    }
    real = treeFacts(served);
  }, 2 * CASES_MS_MAX);
  afterAll(() => folder?.remove());

  test.each(ALL_CASES.map(([name]) => name))("%s", (name) => {
    expect(seen[name]).toEqual(expected[name]);
  });

  test("no request ended in a fault, and the peer could apply everything", () => {
    expect(faults).toEqual([]);
  });

  test("a copy made from the operations alone is the same to the nanosecond", () => {
    expect(treeFacts(copy)).toEqual(real);
  });
});
