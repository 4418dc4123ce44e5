import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../test/setup/length.ts";
import { RECORD_BYTES_MAX } from "./resync.ts";
import { BLOCK_BYTES, COMPARE, decodeRecord, type Message, writeMessage } from "./wire.ts";
import { RecordWriter } from "./wire-bytes.ts";
import { isName, isRelativePath } from "./wire-entry.ts";

const bytes = (lengthMax: number, lengthMin = 0) =>
  fc.uint8Array({ minLength: lengthMin, maxLength: lengthMax });
const name = bytes(255, 1).filter(isName);
const path = fc
  .array(name, { maxLength: 4 })
  .map((names) => Uint8Array.from(names.flatMap((part, at) => [...(at > 0 ? [47] : []), ...part])));
const count = fc.nat({ max: 2 ** 31 });
const size = fc.nat({ max: 2 ** 53 - 1 });
const place = { tree: fc.nat({ max: 255 }), path };
const meta = fc.record({
  mode: fc.nat({ max: 0xffff }),
  uid: count,
  gid: count,
  sizeBytes: size,
  mtime: fc.record({
    seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    nanoseconds: fc.nat({ max: 999_999_999 }),
  }),
  rdev: count,
  xattrs: fc.array(
    fc.record({ name: bytes(255, 1).filter((it) => !it.includes(0)), value: bytes(300) }),
    { maxLength: 3 },
  ),
});
const hash = bytes(32, 32);
const entry = fc.record({
  name,
  meta,
  linkCount: count,
  group: size,
  linkTo: fc.option(path.filter((it) => it.length > 0)),
  hash: fc.option(hash),
  target: fc.option(bytes(400).filter((it) => !it.includes(0))),
});
const item = fc.record({
  offsetBytes: count,
  lengthBytes: fc.integer({ min: 1, max: BLOCK_BYTES }),
  hash: fc.option(hash),
});
const flags = { begins: fc.boolean(), ends: fc.boolean() };
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    version: fc.nat({ max: 65535 }),
    trees: fc.nat({ max: 255 }),
  }),
  fc.record({
    kind: fc.constant("list" as const),
    ...place,
    ...flags,
    compare: fc.constantFrom(COMPARE.content, COMPARE.existence),
    entries: fc.array(entry, { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant("names" as const),
    ...place,
    ...flags,
    names: fc.array(fc.record({ type: fc.nat({ max: 15 }), name }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant("ranges" as const),
    ...place,
    items: fc.array(item, { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant("data" as const), ...place, offsetBytes: size, bytes: bytes(500) }),
  fc.record({ kind: fc.constantFrom("fileEnd" as const, "directoryEnd" as const), ...place, meta }),
  fc.record({ kind: fc.constant("remove" as const), ...place }),
  fc.record({ kind: fc.constantFrom("passEnd" as const, "finish" as const, "finished" as const) }),
  fc.record({
    kind: fc.constant("answer" as const),
    isMissing: fc.boolean(),
    verdicts: bytes(600),
  }),
  fc.record({ kind: fc.constant("passDone" as const), dropped: count }),
  fc.record({
    kind: fc.constant("fault" as const),
    ...place,
    errno: count,
    operation: fc.constantFrom("write", "renameat2"),
  }),
);

function encode(messages: readonly Message[]): Uint8Array {
  const writer = new RecordWriter(RECORD_BYTES_MAX);
  for (const each of messages) writeMessage(writer, each);
  return Uint8Array.from(writer.take());
}

/** Views into a record compare as bytes, whatever class they are of. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, it) =>
      ArrayBuffer.isView(it)
        ? Buffer.from(it.buffer, it.byteOffset, it.byteLength).toString("hex")
        : it,
    ),
  );

describe("resync records", () => {
  test("come back as they went", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const decoded = decodeRecord(encode(messages));
        expect(decoded.ok).toBe(true);
        if (decoded.ok) expect(plain(decoded.value)).toEqual(plain(messages));
      }),
      { numRuns: cases(300) },
    );
  });

  test("that are cut short are refused", () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), (each, part) => {
        const record = encode([each]);
        const length = Math.floor(part * (record.length - 1));
        // An empty record says nothing; any other part of one message is no message.
        expect(decodeRecord(record.subarray(0, length)).ok).toBe(length === 0);
      }),
      { numRuns: cases(300) },
    );
  });

  test("of any bytes at all never throw", () => {
    const mutated = fc
      .tuple(
        fc.array(message, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
      )
      .map(([messages, changes]) => {
        const record = encode(messages);
        for (const [at, value] of changes) record[at % record.length] = value;
        return record;
      });
    fc.assert(
      fc.property(fc.oneof(bytes(400), mutated), (record) => {
        decodeRecord(record);
      }),
      { numRuns: cases(5000) },
    );
  });

  test.each(["..", ".", "a/..", "../a", "a//b", "/a", "a/", "a/./b", "a\0b", `${"n".repeat(256)}`])(
    "whose path is %j are refused",
    (text) => {
      expect(isRelativePath(Buffer.from(text))).toBe(false);
      expect(decodeRecord(encode([{ kind: "remove", tree: 0, path: Buffer.from(text) }])).ok).toBe(
        false,
      );
    },
  );

  test.each(["a", "..a", ".a", "a/b", "...", "a/..b"])("whose path is %j are taken", (text) => {
    expect(isRelativePath(Buffer.from(text))).toBe(true);
  });
});
