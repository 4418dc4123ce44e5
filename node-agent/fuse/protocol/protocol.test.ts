import { describe, expect, test } from "vitest";
import { Stat } from "../../adapters/linux/stat.ts";
import { putAttrOut, putEntryOut, putNegativeEntryOut, putStatfsOut } from "./attributes.ts";
import { EntryReader, putDirent } from "./directory-entries.ts";
import { negotiate } from "./negotiation.ts";
import { DATA_BYTES_MAX, OUT_HEADER_BYTES, opcodeName } from "./opcodes.ts";
import { Reply, Request } from "./request.ts";

const VALID = { entrySeconds: 5, attributeSeconds: 7 };
const view = (reply: Reply) => new DataView(reply.bytes.buffer, OUT_HEADER_BYTES);

function statOf(words: Record<number, number>): Stat {
  const stat = new Stat();
  for (const [at, value] of Object.entries(words)) stat.words[Number(at)] = value;
  return stat;
}

const STAT = statOf({
  1: 4096, // blksize
  4: 3, // nlink
  5: 1000, // uid
  6: 1001, // gid
  7: 0o100644, // mode
  8: 0x89abcdef, // ino
  9: 1,
  10: 5, // size
  11: 2,
  12: 8, // blocks
  16: 100, // atime
  18: 1,
  24: 300, // ctime
  26: 3,
  28: 200, // mtime
  30: 2,
  32: 8, // rdev
  33: 1,
});

describe("replies", () => {
  test("attributes land where struct fuse_attr has them", () => {
    const reply = new Reply(256);
    expect(putAttrOut(reply, STAT, VALID)).toBe(104);
    const at = view(reply);
    expect(at.getBigUint64(0, true)).toBe(7n);
    expect(at.getBigUint64(16, true)).toBe(0x1_89ab_cdefn);
    expect(at.getBigUint64(24, true)).toBe(0x2_0000_0005n);
    const longs = [32, 40, 48, 56].map((place) => at.getBigUint64(place, true));
    expect(longs).toEqual([8n, 100n, 200n, 300n]);
    const words = [64, 68, 72, 76, 80, 84, 88, 92, 96, 100].map((p) => at.getUint32(p, true));
    expect(words).toEqual([1, 2, 3, 0o100644, 3, 1000, 1001, 0x801, 4096, 0]);
  });

  test("an entry has its node, validity and attributes", () => {
    const reply = new Reply(256);
    expect(putEntryOut(reply, 0, 2 ** 40 + 3, STAT, VALID)).toBe(128);
    const at = view(reply);
    expect([0, 8, 16, 24].map((place) => at.getBigUint64(place, true))).toEqual([
      2n ** 40n + 3n,
      0n,
      5n,
      7n,
    ]);
    expect(at.getUint32(40 + 60, true)).toBe(0o100644);
    expect(putNegativeEntryOut(reply, VALID)).toBe(128);
    expect([at.getBigUint64(0, true), at.getBigUint64(16, true)]).toEqual([0n, 5n]);
  });

  test("statfs is copied field by field", () => {
    const statfs = new Uint32Array(30);
    statfs.set([0xef53, 0, 4096, 0, 1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 0, 0, 255, 0, 512, 0]);
    const reply = new Reply(256);
    expect(putStatfsOut(reply, statfs)).toBe(80);
    const at = view(reply);
    expect([0, 4, 8, 12, 32, 36].map((p) => at.getUint32(p, true))).toEqual([1, 10, 2, 20, 5, 50]);
    expect([40, 44, 48].map((p) => at.getUint32(p, true))).toEqual([4096, 255, 512]);
  });

  test("the header says how long the reply is and to whom", () => {
    const bytes = new Reply(64).seal(0xfffffff0, 0x80000001, -2, 8);
    const at = new DataView(bytes.buffer, bytes.byteOffset);
    expect(bytes.length).toBe(24);
    expect([at.getUint32(0, true), at.getInt32(4, true)]).toEqual([24, -2]);
    expect(at.getBigUint64(8, true)).toBe(0x80000001_fffffff0n);
  });
});

describe("requests", () => {
  test("fields and names are read in place", () => {
    const request = new Request();
    const at = new DataView(request.bytes.buffer);
    at.setUint32(0, 60, true);
    at.setUint32(4, 12, true);
    at.setBigUint64(16, 2n ** 45n + 9n, true);
    at.setBigInt64(40, -3n, true);
    request.bytes.set(Buffer.from("old\0new\0"), 48);
    expect([request.length, request.opcode, request.nodeId]).toEqual([60, 12, 2 ** 45 + 9]);
    expect(request.s64(40)).toBe(-3);
    expect(Buffer.from(request.name(48)).toString()).toBe("old");
    expect(Buffer.from(request.name(52)).toString()).toBe("new");
    expect(opcodeName(12)).toBe("RENAME");
  });

  test("a name without its end stops where the request does", () => {
    const request = new Request();
    new DataView(request.bytes.buffer).setUint32(0, 44, true);
    request.bytes.fill(97, 40, 100);
    expect(request.name(40).length).toBe(4);
  });
});

describe("negotiation", () => {
  function offer(major: number, minor: number, flags: number, flags2: number): Request {
    const request = new Request();
    const at = new DataView(request.bytes.buffer);
    const words = [major, minor, 65_536, flags, flags2];
    for (const [index, word] of words.entries()) at.setUint32(40 + index * 4, word >>> 0, true);
    return request;
  }

  test("takes what it needs from a new kernel, and neither locks nor the writeback cache", () => {
    const reply = new Reply(64);
    const result = negotiate(offer(7, 45, 0x73fffffb, 0x5fd), reply);
    expect(result?.agreement).toMatchObject({ minor: 45, hasLongSetxattr: true, flags2: 16 });
    const flags = result?.agreement.flags ?? 0;
    for (const refused of [1, 3, 10, 16]) expect(flags & (1 << refused)).toBe(0);
    for (const taken of [5, 6, 13, 18, 20, 22, 28]) expect(flags & (1 << taken)).not.toBe(0);
    const at = view(reply);
    expect(at.getUint32(20, true)).toBe(DATA_BYTES_MAX);
    expect(at.getUint16(28, true)).toBe(256);
  });

  test("falls back on 5.10: no second word of flags, stripping by ourselves", () => {
    const result = negotiate(offer(7, 31, 0x0fffffff, 0xffffffff), new Reply(64));
    expect(result?.agreement).toMatchObject({ minor: 31, flags2: 0, hasLongSetxattr: false });
    expect((result?.agreement.flags ?? 0) & (1 << 19)).not.toBe(0);
  });

  test("refuses a kernel that it cannot serve", () => {
    expect(negotiate(offer(7, 22, -1, -1), new Reply(64))).toBeNull();
    expect(negotiate(offer(8, 0, -1, -1), new Reply(64))).toBeNull();
  });
});

test("directory entries keep their 64-bit cookies and are padded to 8", () => {
  const bytes = new Uint8Array(64);
  const from = new DataView(bytes.buffer);
  from.setBigUint64(0, 42n, true);
  from.setBigUint64(8, 0x7fff_ffff_ffff_fff1n, true);
  from.setUint16(16, 32, true);
  from.setUint8(18, 8);
  bytes.set(Buffer.from("name\0"), 19);
  const reader = new EntryReader(bytes);
  reader.reset(32);
  expect(reader.peek()).toBe(true);
  const reply = new Reply(64);
  expect(putDirent(reply, 0, reader.entry)).toBe(32);
  const at = view(reply);
  expect([at.getBigUint64(0, true), at.getBigUint64(8, true)]).toEqual([
    42n,
    0x7fff_ffff_ffff_fff1n,
  ]);
  expect([at.getUint32(16, true), at.getUint32(20, true)]).toEqual([4, 8]);
  expect(Buffer.from(reply.payload(24, 8)).toString("latin1")).toBe("name\0\0\0\0");
  reader.advance();
  expect(reader.peek()).toBe(false);
});
