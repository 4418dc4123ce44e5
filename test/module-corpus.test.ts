import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOSTILE_ARCHIVES } from "#model/archive/hostile-corpus.ts";
import { loadModule } from "#model/archive/load-module.ts";

/** Each is refused within this, and the process holds no more than the second because of it. */
const [MS_MAX, RESIDENT_BYTES_MAX] = [2_000, 256 * 1024 * 1024];

/** Only the verdict: a test that fails must not print the bomb. */
function verdictOf(loaded: Awaited<ReturnType<typeof loadModule>>): string | null {
  if (loaded.ok) return null;
  return loaded.error.kind === "archive" ? loaded.error.error.kind : loaded.error.kind;
}

describe("archives of strangers", () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "corpus-"));
  beforeAll(() => process.chdir(folder));
  afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  for (const { name, refusedAs, make } of HOSTILE_ARCHIVES) {
    test(`${name}: ${refusedAs ?? "accepted"}, nothing written`, async () => {
      const bytes = make();
      const residentBefore = process.memoryUsage.rss();
      const start = performance.now();
      const loaded = await loadModule(bytes);
      expect(performance.now() - start).toBeLessThan(MS_MAX);
      expect(process.memoryUsage.rss() - residentBefore).toBeLessThan(RESIDENT_BYTES_MAX);
      expect(verdictOf(loaded)).toBe(refusedAs);
      expect(readdirSync(folder)).toEqual([]);
      const message = loaded.ok ? "" : JSON.stringify(loaded.error);
      expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    });
  }
});
