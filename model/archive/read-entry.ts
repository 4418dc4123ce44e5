import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { quote } from "../module/problem.ts";
import { err, ok, type Result } from "../shared/result.ts";
import { ARCHIVE_LIMITS, type ArchiveError, type ModuleFile, whyNotPath } from "./module-files.ts";

/** PKWARE APPNOTE.TXT 4.4.4: bit 3, sizes and checksum follow the data. */
const HAS_DESCRIPTOR = 0x0008;
/** APPNOTE.TXT 4.4.2: host system 3 is Unix, whose mode stands in the external attributes. */
const HOST_UNIX = 3;
/** APPNOTE.TXT 4.6.9: another name for the entry, which other programs would use. */
const UNICODE_PATH_FIELD = 0x7075;
/** inode(7): the kinds of file, and the bits that change who runs a program. */
const [KIND_MASK, KIND_FILE, KIND_DIRECTORY, SPECIAL_BITS] = [0o170000, 0o100000, 0o040000, 0o7000];

/** An entry of the central directory whose header is good. */
export type GoodEntry = {
  readonly entry: Entry;
  readonly path: string;
  readonly isDirectory: boolean;
  readonly mode: 0o644 | 0o755;
};

/** Judges what the central directory says; nothing is inflated yet. */
export function judgeEntry(entry: Entry): Result<GoodEntry, ArchiveError> {
  const written = entry.fileNameRaw.toString("latin1");
  const refuse = (kind: ArchiveError["kind"], why: string) =>
    err({ kind, message: `entry ${quote(written)} ${why}` });
  const isDirectory = written.endsWith("/");
  const path = isDirectory ? written.slice(0, -1) : written;
  const wrong = whyNotPath(path);
  if (wrong !== null) return refuse("unsafeName", wrong);
  if (entry.extraFields.some(({ id }) => id === UNICODE_PATH_FIELD)) {
    return refuse("unsafeName", "has a second name");
  }
  const attributes = entry.externalFileAttributes >>> 16;
  const kind = attributes & KIND_MASK;
  if (kind !== 0 && kind !== (isDirectory ? KIND_DIRECTORY : KIND_FILE)) {
    return refuse("unsafeEntry", "is a symbolic link, a device or another special file");
  }
  if ((attributes & SPECIAL_BITS) !== 0)
    return refuse("unsafeEntry", "is setuid, setgid or sticky");
  if (entry.isEncrypted()) return refuse("unsafeEntry", "is encrypted");
  if (!entry.canDecodeFileData()) return refuse("unsafeEntry", "has an unknown compression");
  if (isDirectory && (entry.uncompressedSize !== 0 || entry.compressedSize > 2)) {
    return refuse("unsafeEntry", "is a directory with content");
  }
  const isUnix = entry.versionMadeBy >>> 8 === HOST_UNIX;
  // An archive made on Windows knows no modes; what stands in bin/ is there to be run.
  const isExecutable = isUnix ? (attributes & 0o111) !== 0 : path.startsWith("bin/");
  return ok({ entry, path, isDirectory, mode: isExecutable ? 0o755 : 0o644 });
}

/** Where an entry begins and its data ends, from its local header, which must agree. */
export async function locateEntry(
  zip: ZipFile,
  { entry, path }: GoodEntry,
): Promise<Result<{ start: number; end: number; hasDescriptor: boolean }, ArchiveError>> {
  const local = await zip.readLocalFileHeaderPromise(entry);
  const isSame =
    local.fileName.equals(entry.fileNameRaw) &&
    local.compressionMethod === entry.compressionMethod &&
    local.generalPurposeBitFlag === entry.generalPurposeBitFlag;
  const hasDescriptor = (local.generalPurposeBitFlag & HAS_DESCRIPTOR) !== 0;
  const isSameSize =
    hasDescriptor ||
    (local.compressedSize === entry.compressedSize &&
      local.uncompressedSize === entry.uncompressedSize &&
      local.crc32 === entry.crc32);
  if (!isSame || !isSameSize) {
    const message = `entry ${quote(path)} is described in two ways that differ`;
    return err({ kind: "damaged", message });
  }
  const start = entry.relativeOffsetOfLocalHeader;
  return ok({ start, end: local.fileDataStart + entry.compressedSize, hasDescriptor });
}

/** Inflates one file, no further than `bytesMax`, and compares its checksum. */
export async function readEntry(
  zip: ZipFile,
  { entry, path, mode }: GoodEntry,
  bytesMax: number,
): Promise<Result<ModuleFile, ArchiveError>> {
  const { ratioFreeBytes, ratioMax } = ARCHIVE_LIMITS;
  const byRatio = Math.max(ratioFreeBytes, entry.compressedSize * ratioMax);
  const stream = await zip.openReadStreamPromise(entry);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) break;
    length += chunk.length;
    if (length > bytesMax || length > byRatio) {
      stream.destroy();
      const message = `entry ${quote(path)} unpacks to more than is accepted`;
      return err({ kind: "tooLarge", message });
    }
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks, length);
  if (length !== entry.uncompressedSize || crc32(bytes) !== entry.crc32) {
    return err({ kind: "damaged", message: `entry ${quote(path)} does not match its checksum` });
  }
  return ok({ path, mode, bytes });
}
