import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecord, writeRecord } from "./atomic-file.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-record-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("gives back what was written", () => {
  const path = join(folder, "record");
  writeRecord(path, { epoch: 7, inSync: ["node1"] });
  writeRecord(path, { epoch: 8, inSync: ["node1", "node2"] });
  expect(readRecord(path)).toEqual({
    kind: "read",
    value: { epoch: 8, inSync: ["node1", "node2"] },
  });
});

test("tells nothing from damaged", () => {
  const path = join(folder, "record");
  expect(readRecord(path).kind).toBe("none");
  writeRecord(path, { epoch: 7 });
  const content = readFileSync(path, "utf8");
  writeFileSync(path, content.replace('"epoch":7', '"epoch":9'));
  expect(readRecord(path).kind).toBe("damaged");
  writeFileSync(path, content.slice(0, 20));
  expect(readRecord(path).kind).toBe("damaged");
  writeFileSync(path, "");
  expect(readRecord(path).kind).toBe("damaged");
});
