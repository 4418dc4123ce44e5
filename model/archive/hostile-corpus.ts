import { Buffer } from "node:buffer";
import { constants, crc32, deflateRawSync } from "node:zlib";
import type { ArchiveError } from "./module-files.ts";
import { type RawEntry, rawZip } from "./raw-zip.ts";

/**
 * Archives that have broken other programs, made on the spot. All are refused but the first; each
 * says as what. Whoever takes a module from outside runs them: parser, upload, command line.
 */
export type HostileArchive = {
  readonly name: string;
  /** null: it is good. */
  readonly refusedAs: ArchiveError["kind"] | null;
  readonly make: () => Buffer;
};

const CONFIGURATION: RawEntry = {
  name: "conf/userconfig.xml",
  data: Buffer.from('<!DOCTYPE safe>\n<safe><service mode="light"/></safe>\n'),
};
const SCRIPT: RawEntry = {
  name: "bin/start_both",
  data: Buffer.from("#!/bin/sh\n"),
  mode: 0o100755,
};
const EVIL = Buffer.from("evil");
const MIB = 1024 * 1024;

const archive =
  (...entries: readonly RawEntry[]) =>
  () =>
    rawZip([CONFIGURATION, ...entries]);
const withName = (
  name: string,
  entryName: string,
  refusedAs: ArchiveError["kind"] = "unsafeName",
): HostileArchive => ({
  name: `name: ${name}`,
  refusedAs,
  make: archive({ name: Buffer.from(entryName), data: EVIL }),
});

const NAMES: readonly HostileArchive[] = [
  withName("parent", "../evil"),
  withName("parent inside", "bin/../../evil"),
  withName("absolute", "/tmp/evil"),
  withName("backslash", "..\\evil"),
  withName("drive", "C:/evil"),
  withName("parent and empty", "..//evil"),
  withName("control character", "bin/\u0007evil"),
  withName("NUL-like", "bin/evil\u0000.sh"),
  withName("reserved", "bin/con.sh"),
  withName("300 characters", `bin/${"x".repeat(300)}`),
  withName("300 levels", `${"a/".repeat(300)}evil`),
  withName("newline", "bin/evil\nbin/good"),
  withName("reordered text", "bin/\u202egpj.hs"),
  withName("home", "~/evil"),
  withName("hook", ".git/hooks/post-checkout"),
  withName("option", "bin/-rf"),
  withName("empty", ""),
  {
    name: "name: a second one in an extra field",
    refusedAs: "unsafeName",
    make: archive({
      name: "bin/good",
      data: EVIL,
      extra: Buffer.from("7570090001000000006576696c", "hex"),
    }),
  },
];

const special = (name: string, mode: number, ...others: RawEntry[]): HostileArchive => ({
  name,
  refusedAs: "unsafeEntry",
  make: archive({ name: "bin/link", data: Buffer.from("/etc"), mode }, ...others),
});

const KINDS: readonly HostileArchive[] = [
  special("symbolic link, absolute", 0o120777),
  special("a file through a symbolic link", 0o120777, { name: "bin/link/passwd", data: EVIL }),
  {
    name: "symbolic link, relative",
    refusedAs: "unsafeEntry",
    make: archive({ name: "bin/link", data: Buffer.from("../../x"), mode: 0o120777 }),
  },
  special("pipe", 0o010644),
  special("character device", 0o020644),
  special("block device", 0o060644),
  special("socket", 0o140644),
  special("setuid", 0o104755),
  special("setgid", 0o102755),
  { name: "encrypted", refusedAs: "unsafeEntry", make: archive({ ...SCRIPT, flags: 1 }) },
  {
    name: "directory with content",
    refusedAs: "unsafeEntry",
    make: archive({ name: "bin/", data: EVIL, mode: 0o040755 }),
  },
];

/** Zeros, deflated piece by piece: each piece stands alone, so a gibibyte costs one of them. */
function packedZeros(mebibytes: number): NonNullable<RawEntry["packed"]> {
  const zeros = Buffer.alloc(MIB);
  const piece = deflateRawSync(zeros, { finishFlush: constants.Z_FULL_FLUSH, level: 9 });
  const last = deflateRawSync(Buffer.alloc(0));
  let checksum = 0;
  for (let count = 0; count < mebibytes; count += 1) checksum = crc32(zeros, checksum);
  const bytes = Buffer.concat([...Array.from({ length: mebibytes }, () => piece), last]);
  return { bytes, size: mebibytes * MIB, checksum };
}

/** Ten archives in each archive, three levels deep; nothing here ever unpacks the second. */
function nested(level: number): Buffer {
  const data = level === 0 ? Buffer.alloc(MIB) : nested(level - 1);
  return rawZip(Array.from({ length: 10 }, (_, index) => ({ name: `a${index}.zip`, data })));
}

const SIZES: readonly HostileArchive[] = [
  {
    name: "bomb of a gibibyte",
    refusedAs: "tooLarge",
    make: () => rawZip([CONFIGURATION, { name: "bin/zeros", packed: packedZeros(1024) }]),
  },
  {
    name: "bomb under the size limit, by its ratio",
    refusedAs: "tooLarge",
    make: () => rawZip([CONFIGURATION, { name: "bin/zeros", packed: packedZeros(40) }]),
  },
  {
    name: "bomb that claims to be small",
    refusedAs: "damaged",
    make: () => {
      const zeros = { name: "bin/zeros", packed: packedZeros(1024), claimedSize: 10 };
      return rawZip([CONFIGURATION, zeros]);
    },
  },
  {
    name: "size that lies by one",
    refusedAs: "damaged",
    make: archive({ name: "bin/x", data: EVIL, claimedSize: 5 }),
  },
  {
    name: "100,000 entries",
    refusedAs: "tooLarge",
    make: () => {
      const packed = { bytes: deflateRawSync(Buffer.alloc(0)), size: 0, checksum: 0 };
      return rawZip(Array.from({ length: 100_000 }, (_, index) => ({ name: `f${index}`, packed })));
    },
  },
  {
    name: "1,001 entries",
    refusedAs: "tooLarge",
    make: archive(...Array.from({ length: 1000 }, (_, index) => ({ name: `bin/f${index}` }))),
  },
  { name: "nested three levels by ten", refusedAs: "noConfiguration", make: () => nested(2) },
  {
    name: "more than ten mebibytes packed",
    refusedAs: "tooLarge",
    make: archive({
      name: "bin/x",
      packed: { bytes: Buffer.alloc(11 * MIB), size: 11 * MIB, checksum: 0 },
    }),
  },
];

/** One entry whose data holds another entry, header and all, to which the directory points too. */
function overlapping(): Buffer {
  const inner = rawZip([SCRIPT]);
  const bytes = deflateRawSync(inner, { level: 0 });
  const outer = {
    name: "bin/outer",
    packed: { bytes, size: inner.length, checksum: crc32(inner) },
  };
  // A local header has 30 bytes and the name; RFC 1951 3.2.4: a stored block has 5 before its data.
  return rawZip([outer, { ...SCRIPT, localOffset: 30 + outer.name.length + 5 }, CONFIGURATION]);
}

const CLASHES: readonly HostileArchive[] = [
  { name: "a name twice", refusedAs: "unsafeName", make: archive(SCRIPT, SCRIPT) },
  {
    name: "two configurations",
    refusedAs: "unsafeName",
    make: archive({ ...CONFIGURATION, data: EVIL }),
  },
  {
    name: "a name twice but for case",
    refusedAs: "unsafeName",
    make: archive(SCRIPT, { name: "bin/START_both", data: EVIL }),
  },
  {
    name: "a directory twice but for case",
    refusedAs: "unsafeName",
    make: archive(SCRIPT, { name: "Bin/other", data: EVIL }),
  },
  {
    name: "a name twice in two Unicode forms",
    refusedAs: "unsafeName",
    make: archive({ name: "bin/caf\u00e9" }, { name: "bin/cafe\u0301" }),
  },
  {
    name: "file and directory",
    refusedAs: "unsafeName",
    make: archive({ name: "bin", data: EVIL }, { name: "bin/x", data: EVIL }),
  },
  {
    name: "directory and file",
    refusedAs: "unsafeName",
    make: archive({ name: "bin/x/", mode: 0o040755 }, { name: "bin/x", data: EVIL }),
  },
  {
    name: "overlapping entries",
    refusedAs: "damaged",
    make: overlapping,
  },
];

const BROKEN: readonly HostileArchive[] = [
  { name: "no configuration", refusedAs: "noConfiguration", make: () => rawZip([SCRIPT]) },
  { name: "no entry", refusedAs: "notAnArchive", make: () => rawZip([]) },
  { name: "no byte", refusedAs: "notAnArchive", make: () => Buffer.alloc(0) },
  { name: "truncated", refusedAs: "damaged", make: () => archive(SCRIPT)().subarray(0, -30) },
  {
    name: "wrong checksum",
    refusedAs: "damaged",
    make: archive({ ...SCRIPT, claimedChecksum: 1 }),
  },
  {
    name: "a flipped bit in the data",
    refusedAs: "damaged",
    make: () => {
      const bytes = rawZip([CONFIGURATION]);
      bytes.writeUInt8(bytes.readUInt8(60) ^ 0x10, 60);
      return bytes;
    },
  },
  {
    name: "another name in the local header",
    refusedAs: "damaged",
    make: archive({ ...SCRIPT, localName: "bin/start_prim" }),
  },
  {
    name: "entries that the last record does not count",
    refusedAs: "notAnArchive",
    make: () => rawZip([CONFIGURATION, SCRIPT], { claimedCount: 1 }),
  },
  {
    name: "HTML",
    refusedAs: "notAnArchive",
    make: () => Buffer.from("<!doctype html><title>Sign in</title>"),
  },
  {
    name: "script before the archive",
    refusedAs: "notAnArchive",
    make: () => rawZip([CONFIGURATION], { before: Buffer.from("#!/bin/sh\nexit 0\n") }),
  },
  {
    name: "bytes behind the archive",
    refusedAs: "damaged",
    make: () => rawZip([CONFIGURATION], { after: Buffer.from("<script>") }),
  },
  {
    name: "another file in the comment",
    refusedAs: "notAnArchive",
    make: () => rawZip([CONFIGURATION], { comment: Buffer.from("<?php exit; ?>") }),
  },
];

/** The corpus: the good one first. */
export const HOSTILE_ARCHIVES: readonly HostileArchive[] = [
  { name: "00-good.safe", refusedAs: null, make: archive(SCRIPT) },
  ...NAMES,
  ...KINDS,
  ...SIZES,
  ...CLASHES,
  ...BROKEN,
];
