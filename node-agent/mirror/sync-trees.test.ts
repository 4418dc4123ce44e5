import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { syncTrees } from "./sync-trees.ts";

test("directories are brought to their disks; one that is not there is not", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mirrorfarm-sync-"));
  try {
    expect(await syncTrees([directory, "/tmp"])).toBe(true);
    expect(await syncTrees([directory, join(directory, "missing")])).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
