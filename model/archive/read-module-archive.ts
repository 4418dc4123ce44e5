import { Buffer } from "node:buffer";
import { type Entry, fromBufferPromise, type ZipFile } from "yauzl";
import { quote } from "../module/problem.ts";
import { err, ok, type Result } from "../shared/result.ts";
import {
  ARCHIVE_LIMITS,
  type ArchiveError,
  CONFIGURATION_PATH,
  type ModuleFile,
  type ModuleFiles,
  PathRegister,
} from "./module-files.ts";
import { type GoodEntry, judgeEntry, locateEntry, readEntry } from "./read-entry.ts";

/** APPNOTE.TXT 4.3.7, 4.3.16: how an archive begins, and its last record. */
const LOCAL_HEADER = 0x04034b50;
const END_RECORD_LENGTH = 22;
/** APPNOTE.TXT 4.3.9: at most a signature, a checksum and two 64-bit sizes behind the data. */
const DESCRIPTOR_LENGTH_MAX = 24;

type Read<T> = Promise<Result<T, ArchiveError>>;

/** Reads a `.safe` archive, wholly or not at all. It never throws for what is in the bytes. */
export async function readModuleArchive(archive: Uint8Array): Read<ModuleFiles> {
  const { packedBytesMax } = ARCHIVE_LIMITS;
  if (archive.byteLength > packedBytesMax) {
    return refuse("tooLarge", `the archive is larger than ${packedBytesMax} bytes`);
  }
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  if (bytes.length < END_RECORD_LENGTH || bytes.readUInt32LE(0) !== LOCAL_HEADER) {
    return refuse("notAnArchive", "the file is not a module: it does not begin as a zip archive");
  }
  // yauzl tells what it finds wrong by throwing: this is the one place that catches it.
  try {
    const zip = await fromBufferPromise(bytes, {
      lazyEntries: true,
      decodeStrings: false,
      validateEntrySizes: true,
    });
    return await readEntries(zip, bytes);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return refuse("damaged", `the archive cannot be read: ${quote(cause).slice(1, -1)}`);
  }
}

async function readEntries(zip: ZipFile, bytes: Buffer): Read<ModuleFiles> {
  const listed = await listEntries(zip);
  if (!listed.ok) return listed;
  const accounted = await accountForAllBytes(zip, listed.value, bytes);
  if (!accounted.ok) return accounted;
  const files: ModuleFile[] = [];
  let left: number = ARCHIVE_LIMITS.unpackedBytesMax;
  for (const entry of listed.value) {
    if (entry.isDirectory) continue;
    const file = await readEntry(zip, entry, left);
    if (!file.ok) return file;
    left -= file.value.bytes.length;
    files.push(file.value);
  }
  if (!files.some(({ path }) => path === CONFIGURATION_PATH)) {
    return refuse("noConfiguration", `the archive has no ${CONFIGURATION_PATH}`);
  }
  return ok(files.toSorted((one, other) => (one.path < other.path ? -1 : 1)));
}

async function listEntries(zip: ZipFile): Read<readonly GoodEntry[]> {
  const { entriesMax, unpackedBytesMax } = ARCHIVE_LIMITS;
  if (zip.entryCount > entriesMax) {
    return refuse("tooLarge", `the archive has more than ${entriesMax} entries`);
  }
  const register = new PathRegister();
  const entries: GoodEntry[] = [];
  let claimed = 0;
  for await (const entry of zip.eachEntry()) {
    const judged = judgeEntry(entry);
    if (!judged.ok) return judged;
    const { path, isDirectory } = judged.value;
    const clash = register.add(path, isDirectory);
    if (clash !== null) return refuse("unsafeName", `entry ${quote(path)} ${clash}`);
    claimed += entry.uncompressedSize;
    if (claimed > unpackedBytesMax) {
      return refuse("tooLarge", `the archive unpacks to more than ${unpackedBytesMax} bytes`);
    }
    entries.push(judged.value);
  }
  return ok(entries);
}

/**
 * Entries have to follow each other from the first byte to the central directory, and that to the
 * end. What lies between or overlaps is either a bomb or another file in the same bytes, such as a
 * script before the archive.
 */
async function accountForAllBytes(
  zip: ZipFile,
  entries: readonly GoodEntry[],
  bytes: Buffer,
): Read<null> {
  const end = bytes.length - END_RECORD_LENGTH;
  const directoryLength = bytes.readUInt32LE(end + 12);
  const directoryStart = bytes.readUInt32LE(end + 16);
  const recorded = entries.reduce((sum, { entry }) => sum + recordLength(entry), 0);
  const isWhole = directoryStart + directoryLength === end && recorded === directoryLength;
  if (zip.comment.length > 0 || !isWhole) {
    return refuse("notAnArchive", "the archive holds bytes that belong to no entry");
  }
  const spans: { start: number; end: number; hasDescriptor: boolean }[] = [];
  for (const entry of entries) {
    const span = await locateEntry(zip, entry);
    if (!span.ok) return span;
    spans.push(span.value);
  }
  spans.sort((one, other) => one.start - other.start);
  let [next, slack] = [0, 0];
  for (const span of [...spans, { start: directoryStart, end, hasDescriptor: false }]) {
    if (span.start < next) return refuse("damaged", "entries of the archive overlap");
    if (span.start > next + slack) {
      return refuse("notAnArchive", "the archive holds bytes that belong to no entry");
    }
    [next, slack] = [span.end, span.hasDescriptor ? DESCRIPTOR_LENGTH_MAX : 0];
  }
  return ok(null);
}

/** APPNOTE.TXT 4.3.12: a record of the central directory, whose fixed part has 46 bytes. */
const recordLength = (entry: Entry): number =>
  46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;

const refuse = (kind: ArchiveError["kind"], message: string) => err({ kind, message });
