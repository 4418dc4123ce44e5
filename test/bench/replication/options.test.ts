import { expect, test } from "vitest";
import { readOptions } from "./options.ts";

const KNOWN = ["fsync-1", "pgbench"];

test("takes 5 rounds, and a minute of pgbench, unless told otherwise", () => {
  expect(readOptions({}, KNOWN)).toEqual({
    ...{ rounds: 5, seconds: 2, pgbenchSeconds: 60, peer: null, workloads: null, files: 100_000 },
  });
  expect(readOptions({ seconds: "7" }, KNOWN)).toMatchObject({ seconds: 7, pgbenchSeconds: 7 });
  expect(readOptions({ workloads: "pgbench", peer: "glusterfs" }, KNOWN)).toMatchObject({
    ...{ workloads: ["pgbench"], peer: "glusterfs" },
  });
});

test.each([
  [{ rounds: "0" }, /rounds 0/],
  [{ seconds: "x" }, /seconds x/],
  [{ files: "1.5" }, /files 1.5/],
  [{ peer: "drbd" }, /peer drbd/],
  [{ workloads: "pgbench,nothing" }, /no workload nothing/],
])("refuses %j", (words, why) => {
  expect(readOptions(words, KNOWN)).toMatch(why);
});
