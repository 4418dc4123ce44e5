import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../test/setup/length.ts";
import { decodeFrames, encodeFrame, FRAME_HEADER_BYTES, type Frame } from "./frame.ts";
import type { Operation } from "./operation.ts";
import { isComponent } from "./operation-codec.ts";
import { WireWriter } from "./wire.ts";

const u32 = fc.nat(0xffff_ffff);
const u53 = fc.maxSafeNat();
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const bytes = (max: number, min = 0) => fc.uint8Array({ minLength: min, maxLength: max });
const name = bytes(255, 1).map((raw) => {
  const clean = raw.map((byte) => (byte === 0 || byte === 0x2f ? 1 : byte));
  return isComponent(clean) ? clean : Uint8Array.of(97);
});
const xattr = bytes(255, 1).map((raw) => raw.map((byte) => byte || 1));
const mode = fc.nat(0o177_777);
const birth = fc.record({ mode, uid: u32, gid: u32 });
const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.nat(999_999_999) });
const kind = <K extends string>(value: K) => fc.constant(value);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: kind("bind"), id, parent: id, name }),
  fc.record({ kind: kind("orphan"), id, birth }),
  fc.record({ kind: kind("create"), parent: id, name, id, birth, rdev: u53 }),
  fc.record({ kind: kind("mkdir"), parent: id, name, id, birth }),
  fc.record({ kind: kind("symlink"), parent: id, name, id, birth, target: xattr }),
  fc.record({ kind: kind("link"), id, parent: id, name }),
  fc.record({ kind: fc.constantFrom("unlink", "rmdir"), parent: id, name }),
  fc.record({ kind: kind("rename"), parent: id, name, newParent: id, newName: name, flags: u32 }),
  fc.record({ kind: kind("write"), id, offsetBytes: u53, data: bytes(3000) }),
  fc.record({ kind: kind("truncate"), id, sizeBytes: u53 }),
  fc.record({ kind: kind("fallocate"), id, mode: u32, offsetBytes: u53, lengthBytes: u53 }),
  fc
    .record({ mode, uid: u32, gid: u32, atime: time, mtime: time }, { requiredKeys: [] })
    .filter((fields) => Object.keys(fields).length > 0)
    .chain((fields) => id.map((file) => ({ kind: "setattr" as const, id: file, ...fields }))),
  fc.record({ kind: kind("setxattr"), id, name: xattr, value: bytes(2000), flags: u32 }),
  fc.record({ kind: kind("removexattr"), id, name: xattr }),
  fc
    .record({ tree: fc.nat(63), path: bytes(60), startBytes: fc.nat(), lengthBytes: fc.nat() })
    .chain(({ lengthBytes, ...place }) =>
      fc.constantFrom("names", "all", "content", "sought", "everything").map((what) => {
        const endBytes = place.startBytes + lengthBytes;
        return { kind: "touch" as const, ...place, what, endBytes } as const;
      }),
    ),
  fc.record({ kind: kind("fsync"), id, dataOnly: fc.boolean() }),
  fc.record({ kind: fc.constantFrom("syncfs", "forget"), id }),
);
const attachmentId = bytes(16, 16);
const reason = fc.string({ maxLength: 100, unit: "grapheme-ascii" });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ kind: kind("operation"), sequence: id, operation },
      isAwaited: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constantFrom("openStream", "resumeStream", "beginResync"), attachmentId }),
  fc.record({
    kind: kind("repeatFsync"),
    sequence: id,
    operation: fc.record({ kind: kind("fsync"), id, dataOnly: fc.boolean() }),
  }),
  fc.record({ kind: fc.constantFrom("continueFrom", "applied", "durable"), sequence: u53 }),
  fc.record({ kind: kind("resyncAdmitted") }),
  fc.record({ kind: kind("refused"), known: u53, reason }),
  fc.record({ kind: kind("fault"), sequence: u53, errno: u32, reason }),
);

/** Typed arrays compare by class too; the decoder gives Buffers. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, field: unknown) => {
      if (field instanceof Uint8Array) return Buffer.from(field).toString("hex");
      return field;
    }),
  );
const hexed = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, hexed(field)]));
};

function encode(frames: readonly Frame[], epoch = 7): Buffer {
  const writer = new WireWriter(16);
  for (const one of frames) encodeFrame(writer, epoch, one);
  return writer.take();
}

function decode(record: Buffer): { frames: Frame[]; error: string | null } {
  const frames: Frame[] = [];
  const decoded = decodeFrames(record, ({ frame: one }) => {
    frames.push(one);
    return true;
  });
  return { frames, error: decoded.ok ? null : decoded.error.reason };
}

describe("frames", () => {
  test("what is written is read, several to a record", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), u53, (frames, epoch) => {
        const epochs: number[] = [];
        const read: Frame[] = [];
        const decoded = decodeFrames(encode(frames, epoch), (one) => {
          epochs.push(one.epoch);
          read.push(one.frame);
          return true;
        });
        expect(decoded.ok).toBe(true);
        expect(plain(hexed(read))).toEqual(plain(hexed(frames)));
        expect(epochs.every((one) => one === epoch)).toBe(true);
      }),
      { numRuns: cases(1000) },
    );
  });

  test("arbitrary bytes never throw, and no frame follows the first malformed one", () => {
    fc.assert(
      fc.property(bytes(200), (raw) => {
        decode(Buffer.from(raw));
      }),
      { numRuns: cases(10_000) },
    );
  });

  test("a frame cut short at any byte, or with a byte changed, never throws", () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat(255), (one, at, value) => {
        const whole = encode([one]);
        const cut = decode(whole.subarray(0, at % whole.length));
        expect(cut.frames).toEqual([]);
        whole[at % whole.length] = value;
        decode(whole);
      }),
      { numRuns: cases(3000) },
    );
  });

  test.each([
    ["..", Buffer.from("..")],
    [".", Buffer.from(".")],
    ["a slash", Buffer.from("a/b")],
    ["a NUL", Buffer.from("a\0b")],
    ["nothing", Buffer.alloc(0)],
    ["256 bytes", Buffer.alloc(256, 97)],
  ])("a name that is %s is malformed", (_, bad) => {
    const record = encode([
      {
        ...{ kind: "operation", sequence: 1, isAwaited: true },
        operation: { kind: "unlink", parent: 1, name: bad },
      },
    ]);
    expect(decode(record).error).not.toBeNull();
  });

  test("lengths beyond the record, beyond the limit and below a header are malformed", () => {
    const good = encode([{ kind: "applied", sequence: 1 }]);
    for (const length of [0, FRAME_HEADER_BYTES - 1, good.length + 1, 0x7fff_ffff, 0xffff_ffff]) {
      good.writeUInt32LE(length, 0);
      expect(decode(good)).toMatchObject({ frames: [], error: expect.any(String) });
    }
  });

  test("unknown kinds, flags, leftover bytes and numbers beyond 2^53 are malformed", () => {
    const changes: ((record: Buffer) => unknown)[] = [
      (record) => record.writeUInt8(255, 4),
      (record) => record.writeUInt8(1, 5),
      (record) => record.writeUInt8(1, 6),
      (record) => record.writeUInt32LE(0x20_0000, 12),
      // One byte of the next frame is taken for this one's.
      (record) => record.writeUInt32LE(FRAME_HEADER_BYTES + 1, 0),
    ];
    for (const change of changes) {
      const record = encode([
        { kind: "applied", sequence: 1 },
        { kind: "applied", sequence: 2 },
      ]);
      change(record);
      expect(decode(record)).toMatchObject({ frames: [], error: expect.any(String) });
    }
  });
});
