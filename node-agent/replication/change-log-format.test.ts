import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RECORD_LIMITS } from "#model/replication/change-record.ts";
import {
  type DirtyEntry,
  DirtySet,
  type DirtySnapshot,
  NOTHING,
} from "#model/replication/dirty-set.ts";
import { cases } from "../../test/setup/length.ts";
import { decodeLog, encodeAppend, encodeStart, LOG_BLOCK_BYTES } from "./change-log-format.ts";

const entries: fc.Arbitrary<DirtyEntry> = fc.record({
  tree: fc.nat(3),
  path: fc.uint8Array({ maxLength: 40 }),
  listing: fc.boolean(),
  subtree: fc.boolean(),
  ranges: fc.array(
    fc.tuple(fc.nat(2 ** 30), fc.nat(2 ** 30)).map(([start, length]) => {
      return {
        startBytes: start * 4096,
        endBytes: length === 7 ? Infinity : (start + length) * 4096,
      };
    }),
    { maxLength: 3 },
  ),
  inodes: fc.array(fc.oneof(fc.nat(), fc.bigInt(2n ** 60n, 2n ** 63n)), { maxLength: 2 }),
});
const changes: fc.Arbitrary<DirtySnapshot> = fc.record({
  everything: fc.constant(false),
  entries: fc.array(entries, { maxLength: 4 }),
  sought: fc.array(fc.record({ tree: fc.nat(3), inode: fc.nat() }), { maxLength: 2 }),
  moves: fc.constant([]),
});
const START = { role: "primary", points: ["abc:0"], isStrict: false, changes: NOTHING } as const;

/** As a store lays them out: `isFlushed` begins a new block. */
function logOf(parts: readonly { bytes: Buffer; isFlushed: boolean }[]): Buffer {
  let log = Buffer.alloc(0);
  for (const { bytes, isFlushed } of parts) {
    log = Buffer.concat([log, bytes]);
    const rest = log.length % LOG_BLOCK_BYTES;
    if (isFlushed && rest > 0) log = Buffer.concat([log, Buffer.alloc(LOG_BLOCK_BYTES - rest)]);
  }
  return log;
}
const joined = (all: readonly DirtySnapshot[]): DirtySnapshot => {
  const set = new DirtySet(RECORD_LIMITS);
  for (const one of all) set.add(one);
  return set.snapshot();
};

describe("the log of changes", () => {
  test("comes back as it went, whatever was flushed in between", () => {
    fc.assert(
      fc.property(changes, fc.array(fc.tuple(changes, fc.boolean())), (first, later) => {
        const start = encodeStart({ ...START, points: ["abc:0", "abc:7"], changes: first }, "boot");
        const appends = later.map(([more, isFlushed], at) => {
          return { bytes: encodeAppend({ changes: more }, at + 1), isFlushed };
        });
        const decoded = decodeLog(logOf([{ bytes: start, isFlushed: true }, ...appends]));
        if (decoded.kind !== "record") throw new Error(decoded.why);
        const { record } = decoded;
        expect(record).toMatchObject({ role: "primary", bootId: "boot", isStrict: false });
        expect(record.points).toEqual(["abc:0", "abc:7"]);
        expect(record.changes).toEqual(joined([first, ...later.map(([more]) => more)]));
      }),
      { numRuns: cases(100) },
    );
  });

  test("a further point and a change of its mode count from where they stand", () => {
    const log = logOf([
      { bytes: encodeStart(START, "boot"), isFlushed: true },
      { bytes: encodeAppend({ point: "abc:9", isStrict: true }, 1), isFlushed: false },
    ]);
    expect(decodeLog(log)).toMatchObject({
      record: { points: ["abc:0", "abc:9"], isStrict: true },
    });
  });

  test("a batch cut short at its end is one that was never done", () => {
    const whole = { ...NOTHING, sought: [{ tree: 0, inode: 1 }] };
    const torn = { ...NOTHING, sought: [{ tree: 0, inode: 2 }] };
    const last = encodeAppend({ changes: torn }, 2);
    for (let kept = 0; kept < last.length; kept += 1) {
      const log = logOf([
        { bytes: encodeStart(START, "boot"), isFlushed: true },
        { bytes: encodeAppend({ changes: whole }, 1), isFlushed: true },
        { bytes: last.subarray(0, kept), isFlushed: false },
      ]);
      expect(decodeLog(log)).toMatchObject({ record: { changes: whole } });
    }
  });

  test("a flipped bit in what was flushed before something else is doubt", () => {
    fc.assert(
      fc.property(changes, changes, fc.nat(), (one, two, where) => {
        const parts = [
          { bytes: encodeStart({ ...START, changes: one }, "boot"), isFlushed: true },
          { bytes: encodeAppend({ changes: two }, 1), isFlushed: true },
        ];
        const damaged = logOf([
          ...parts,
          { bytes: encodeAppend({ changes: one }, 2), isFlushed: true },
        ]);
        const length = where % 2 === 0 ? parts[0]?.bytes.length : parts[1]?.bytes.length;
        const at = (where % (length ?? 1)) + (where % 2 === 0 ? 0 : blockAfter(parts[0]?.bytes));
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (where % 8));
        expect(decodeLog(damaged).kind).toBe("doubtful");
      }),
      { numRuns: cases(200) },
    );
  });

  test("any bytes at all are a record, or doubt, and never an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeLog(Buffer.from(bytes)).kind).toBe("doubtful");
      }),
      { numRuns: cases(200) },
    );
  });
});

const blockAfter = (bytes: Buffer | undefined): number =>
  Math.ceil((bytes?.length ?? 0) / LOG_BLOCK_BYTES) * LOG_BLOCK_BYTES;
