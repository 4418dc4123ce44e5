import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { ChangeRecord, RECORD_LIMITS } from "#model/replication/change-record.ts";
import { planResync } from "#model/replication/decide-resync.ts";
import { DirtySet, type DirtySnapshot, NOTHING } from "#model/replication/dirty-set.ts";
import { cases } from "../../test/setup/length.ts";
import { Pair, type PairOutcome } from "./testing/pair.ts";
import { RandomWriter } from "./testing/random-writer.ts";

const pair = new Pair({ inMemory: true });
afterAll(() => pair.close());
beforeEach(() => pair.empty());

const POINT = "attachment:0";
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

/** What this file is for: the two copies were equal at `POINT`, and each has its record since. */
function resync(record: ChangeRecord, hot: DirtySnapshot = NOTHING): Promise<PairOutcome> {
  return pair.run({
    record: { kind: "record", point: POINT, hot },
    core: { plan: (target) => planResync(record, target) },
  });
}

function recordOf(): ChangeRecord {
  const record = new ChangeRecord("");
  record.begin(POINT);
  return record;
}

/** Much that nobody touches, on both nodes, and a trap: what differs in it must stay different. */
function plantUntouched(): void {
  for (const root of [pair.source, pair.target]) {
    for (let directory = 0; directory < 20; directory += 1) {
      const path = join(root, "untouched", `${directory}`);
      fs.mkdirSync(path, { recursive: true });
      for (let name = 0; name < 20; name += 1) {
        fs.writeFileSync(join(path, `${name}`), "same");
        fs.utimesSync(join(path, `${name}`), 1, 1);
      }
      fs.utimesSync(path, 1, 1);
    }
    fs.utimesSync(join(root, "untouched"), 1, 1);
  }
  fs.writeFileSync(join(pair.target, "untouched/7/7"), "trap");
}

/** Nobody looked at what nobody touched; then the trap is taken away. */
function expectUntouched(): void {
  const trap = join(pair.target, "untouched/7/7");
  expect(fs.readFileSync(trap, "utf8")).toBe("trap");
  fs.writeFileSync(trap, "same");
  fs.utimesSync(trap, 1, 1);
}

describe("a resync of what changed", () => {
  test("makes the copy equal, whatever of the changes it has, and looks at nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.nat(60), async (seed, stepsThere) => {
        pair.empty();
        const before = (root: string): RandomWriter => {
          const writer = new RandomWriter(root, seed);
          writer.steps(80);
          return writer;
        };
        for (const root of [pair.source, pair.target]) before(root).close();
        expect(await pair.run()).toMatchObject({ source: { ok: true }, target: { ok: true } });
        plantUntouched();
        const record = recordOf();
        const source = new RandomWriter(pair.source, seed + 1, record);
        source.steps(60);
        source.close();
        // The copy got a part of the same changes before its node died.
        const target = new RandomWriter(pair.target, seed + 1);
        target.steps(stepsThere);
        target.close();
        fs.rmSync(join(pair.target, "a"), { recursive: true, force: true });
        record.changedDirectory(0, Buffer.from(""));
        const outcome = await resync(record);
        expect(outcome).toMatchObject({ source: { ok: true }, target: { ok: true } });
        expect(outcome).toMatchObject({ source: { value: { comparison: { kind: "delta" } } } });
        expectUntouched();
        expect(pair.differences()).toEqual([]);
      }),
      { numRuns: cases(20) },
    );
  });

  test("takes back what the returning node did and nobody else knows", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        pair.empty();
        const writer = new RandomWriter(pair.source, seed);
        writer.steps(80);
        writer.close();
        expect(await pair.run()).toMatchObject({ source: { ok: true }, target: { ok: true } });
        plantUntouched();
        const hot = new DirtySet(RECORD_LIMITS);
        const record = recordOf();
        for (const [root, listener] of [
          [pair.source, record],
          [pair.target, hot],
        ] as const) {
          const one = new RandomWriter(root, seed + root.length, listener);
          one.steps(25);
          one.close();
        }
        const outcome = await resync(record, hot.snapshot());
        expect(outcome).toMatchObject({ source: { ok: true }, target: { ok: true } });
        expect(outcome).toMatchObject({ source: { value: { comparison: { kind: "delta" } } } });
        expectUntouched();
        expect(pair.differences()).toEqual([]);
      }),
      { numRuns: cases(20) },
    );
  });

  test("sends what was written, and hashes of little else", async () => {
    const big = Buffer.alloc(64 * 1024 * 1024, 7);
    for (const root of [pair.source, pair.target]) {
      fs.writeFileSync(join(root, "database"), big);
      fs.utimesSync(join(root, "database"), 1, 1);
    }
    const record = recordOf();
    const fd = fs.openSync(join(pair.source, "database"), "r+");
    const { ino } = fs.fstatSync(fd);
    for (let at = 0; at < 200; at += 1) {
      const offsetBytes = at * 300_000;
      fs.writeSync(fd, Buffer.alloc(4096, at), 0, 4096, offsetBytes - (offsetBytes % 4096));
      const change = {
        inode: ino,
        offsetBytes: offsetBytes - (offsetBytes % 4096),
        lengthBytes: 4096,
      };
      record.changedFile(0, Buffer.from("database"), change);
    }
    fs.closeSync(fd);
    const { source } = await resync(record);
    if (!source.ok) throw new Error(JSON.stringify(source.error));
    expect(source.value.comparison?.kind).toBe("delta");
    expect(pair.differences()).toEqual([]);
    const changed = 200 * 4096;
    expect(source.value.bytesSent).toBeLessThan(1.1 * changed);
    expect(source.value.bytesChecked).toBe(changed);
  });

  test("does not send again what was moved, however often", async () => {
    for (const root of [pair.source, pair.target]) {
      fs.mkdirSync(join(root, "d/deep"), { recursive: true });
      for (let name = 0; name < 20; name += 1) {
        fs.writeFileSync(join(root, `d/deep/${name}`), Buffer.alloc(200_000, name));
        fs.utimesSync(join(root, `d/deep/${name}`), 1, 1);
      }
      fs.mkdirSync(join(root, "e"));
    }
    const record = recordOf();
    const move = (from: string, to: string): void => {
      fs.renameSync(join(pair.source, from), join(pair.source, to));
      for (const path of [from, to]) {
        record.changedDirectory(0, Buffer.from(path.slice(0, Math.max(0, path.lastIndexOf("/")))));
      }
      record.renamed(0, Buffer.from(from), Buffer.from(to));
      record.changedSubtree(0, Buffer.from(to));
    };
    move("d/deep", "e/deep");
    move("e/deep/3", "three");
    move("e/deep", "f");
    // Another directory by the same name, which the copy must not take for the moved one.
    fs.mkdirSync(join(pair.source, "e/deep"));
    record.changedSubtree(0, Buffer.from("e/deep"));
    const { source } = await resync(record);
    expect(source).toMatchObject({ ok: true, value: { comparison: { kind: "delta" } } });
    expect(pair.differences()).toEqual([]);
    expect(source.ok && source.value.bytesSent).toBeLessThan(50_000);
  });

  test("finds a file under its other name when the one that was written has gone", async () => {
    for (const root of [pair.source, pair.target]) {
      fs.mkdirSync(join(root, "d/e"), { recursive: true });
      fs.writeFileSync(join(root, "first"), "old");
      fs.linkSync(join(root, "first"), join(root, "d/e/second"));
      for (const path of ["first", "d/e", "d"]) fs.utimesSync(join(root, path), 1, 1);
    }
    const record = recordOf();
    const inode = fs.statSync(join(pair.source, "first")).ino;
    fs.writeFileSync(join(pair.source, "first"), "new");
    record.changedFile(0, Buffer.from("first"), { inode });
    // A point in between: the name is lost in the generation after the change.
    record.begin("attachment:5");
    record.lostName(0, inode);
    fs.unlinkSync(join(pair.source, "first"));
    record.changedDirectory(0, Buffer.from(""));
    const { source } = await resync(record);
    expect(source).toMatchObject({ ok: true, value: { comparison: { kind: "delta" } } });
    expect(fs.readFileSync(join(pair.target, "d/e/second"), "utf8")).toBe("new");
    expect(pair.differences()).toEqual([]);
  });

  test("compares everything, and says why, when a record is missing", async () => {
    plantUntouched();
    const record = recordOf();
    const outcome = await pair.run({
      record: { kind: "none", why: "there is no record" },
      core: { plan: (target) => planResync(record, target) },
    });
    expect(outcome).toMatchObject({
      source: { ok: true, value: { comparison: { kind: "full" } } },
    });
    expect(outcome.source.ok && outcome.source.value.comparison?.why).toMatch(/there is no record/);
    expect(pair.differences()).toEqual([]);
  });
});
