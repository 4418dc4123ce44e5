/**
 * The resync protocol's messages. A record is one or more messages back to back, so that many
 * small files share one record. The source asks (`list`, `ranges`, `passEnd`, `finish`), each
 * question gets exactly one answer, in order; everything else of the source's is unanswered.
 *
 * Content is compared by SHA-256 of at most `BLOCK_BYTES`: collision-resistant, since an
 * application's users may choose what its files contain, and 1.4 GB/s where the processor helps.
 */

import type { ByteRange, DirtyEntry } from "#model/replication/dirty-set.ts";
import { assertNever } from "#model/shared/assert.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { Malformed, RecordReader, type RecordWriter } from "./wire-bytes.ts";
import type { Entry, Meta } from "./wire-entry.ts";
import {
  HASH_BYTES,
  isName,
  isRelativePath,
  readEntry,
  readMeta,
  writeEntry,
  writeMeta,
} from "./wire-entry.ts";

export const PROTOCOL_VERSION = 2;
/** Content is hashed and sent in blocks of this size; files up to it are "small". */
export const BLOCK_BYTES = 128 * 1024;
/** Relative paths beyond this are refused: 16 times what one system call takes (PATH_MAX). */
export const PATH_BYTES_MAX = 64 * 1024;
export const LIST_ENTRIES_MAX = 512;
export const NAMES_MAX = 4096;
export const RANGES_MAX = 256;
/** Of one part of a record of changes. */
export const PLACES_MAX = 1024;
const PLACE_RANGES_MAX = 4096;
const TEXT_BYTES_MAX = 512;

/** How the target compares the regular files of a `list`. */
export const COMPARE = {
  /** Small files by hash; bigger ones follow in `ranges`. */
  content: 0,
  /** The entry exists and is of this type; `ranges` or `fileEnd` follow in any case. */
  existence: 1,
} as const;
export type Compare = (typeof COMPARE)[keyof typeof COMPARE];

/** The target's word on one entry of a `list` or one range of `ranges`. */
export const VERDICT = { equal: 0, differs: 1, empty: 2 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

export type RangeItem = {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Null: a hole, to be made one. */
  readonly hash: Uint8Array | null;
};

export type TypedName = { readonly type: number; readonly name: Uint8Array };

type Place = { readonly tree: number; readonly path: Uint8Array };

export type SourceMessage =
  | { readonly kind: "hello"; readonly version: number; readonly trees: number }
  /** Asked again until the last part has come. */
  | { readonly kind: "recordAsked" }
  /** What the first pass will look at; before any change. */
  | { readonly kind: "begin"; readonly isDelta: boolean; readonly why: string }
  /** Entries of directory `path`. `begins`..`ends` encloses all of them: others are removed. */
  | (Place & {
      readonly kind: "list";
      readonly begins: boolean;
      readonly ends: boolean;
      readonly compare: Compare;
      readonly entries: readonly Entry[];
    })
  /** Like a `list`, but of names and types only (`mode >> 12`): which are not there like this? */
  | (Place & {
      readonly kind: "names";
      readonly begins: boolean;
      readonly ends: boolean;
      readonly names: readonly TypedName[];
    })
  | (Place & { readonly kind: "ranges"; readonly items: readonly RangeItem[] })
  | (Place & { readonly kind: "data"; readonly offsetBytes: number; readonly bytes: Uint8Array })
  /** All of the file's content has been sent: set its size and attributes. */
  | (Place & { readonly kind: "fileEnd"; readonly meta: Meta })
  | (Place & { readonly kind: "directoryEnd"; readonly meta: Meta })
  | (Place & { readonly kind: "remove" })
  /** What lay at `path` was moved: where it is still there, and nothing at `to`, move it too. */
  | (Place & { readonly kind: "move"; readonly to: Uint8Array })
  | { readonly kind: "passEnd" }
  | { readonly kind: "finish" };

export type TargetMessage =
  | { readonly kind: "welcome"; readonly version: number; readonly trees: number }
  /** A part of what the target's disk says of its copy. No point: no record, and `why`. */
  | {
      readonly kind: "record";
      readonly point: string;
      readonly why: string;
      readonly everything: boolean;
      readonly isLast: boolean;
      readonly places: readonly DirtyEntry[];
    }
  /** `isMissing`: the directory or file asked about is not there (it moved meanwhile). */
  | { readonly kind: "answer"; readonly isMissing: boolean; readonly verdicts: Uint8Array }
  /** `dropped`: parts of this pass that found no place, so that the pass does not count. */
  | { readonly kind: "passDone"; readonly dropped: number }
  | { readonly kind: "finished" }
  | (Place & { readonly kind: "fault"; readonly errno: number; readonly operation: string });

export type Message = SourceMessage | TargetMessage;

const KINDS = [
  "hello",
  "list",
  "names",
  "ranges",
  "data",
  "fileEnd",
  "directoryEnd",
  "remove",
  "passEnd",
  "finish",
  "welcome",
  "answer",
  "passDone",
  "finished",
  "fault",
  "recordAsked",
  "begin",
  "record",
  "move",
] as const;
const OPERATION_BYTES_MAX = 64;

/** Appends one message. The caller has made sure that it fits (see outbox.ts). */
export function writeMessage(writer: RecordWriter, message: Message): void {
  writer.u8(KINDS.indexOf(message.kind));
  if ("path" in message) {
    writer.u8(message.tree);
    writer.bytes(message.path);
  }
  switch (message.kind) {
    case "hello":
    case "welcome":
      writer.u16(message.version);
      writer.u8(message.trees);
      return;
    case "list":
      writer.u8((message.begins ? 1 : 0) | (message.ends ? 2 : 0));
      writer.u8(message.compare);
      writer.u16(message.entries.length);
      for (const entry of message.entries) writeEntry(writer, entry);
      return;
    case "names":
      writer.u8((message.begins ? 1 : 0) | (message.ends ? 2 : 0));
      writer.u16(message.names.length);
      for (const { type, name } of message.names) {
        writer.u8(type);
        writer.u8(name.length);
        writer.raw(name);
      }
      return;
    case "ranges":
      writer.u16(message.items.length);
      for (const item of message.items) writeItem(writer, item);
      return;
    case "data":
      writer.integer(message.offsetBytes);
      writer.bytes(message.bytes);
      return;
    case "fileEnd":
    case "directoryEnd":
      writeMeta(writer, message.meta);
      return;
    case "answer":
      writer.u8(message.isMissing ? 1 : 0);
      writer.bytes(message.verdicts);
      return;
    case "passDone":
      writer.u32(message.dropped);
      return;
    case "fault":
      writer.u32(message.errno);
      writer.bytes(Buffer.from(message.operation).subarray(0, OPERATION_BYTES_MAX));
      return;
    case "move":
      writer.bytes(message.to);
      return;
    case "begin":
      writer.u8(message.isDelta ? 1 : 0);
      writer.bytes(text(message.why));
      return;
    case "record":
      writer.bytes(text(message.point));
      writer.bytes(text(message.why));
      writer.u8((message.everything ? 1 : 0) | (message.isLast ? 2 : 0));
      writer.u16(message.places.length);
      for (const place of message.places) writeDirty(writer, place);
      return;
    case "remove":
    case "passEnd":
    case "finish":
    case "finished":
    case "recordAsked":
      return;
    default:
      assertNever(message);
  }
}

/** All messages of one record, or why it is none. Views into `record`. */
export function decodeRecord(record: Uint8Array): Result<readonly Message[], string> {
  const reader = new RecordReader(record);
  const messages: Message[] = [];
  try {
    while (!reader.isAtEnd) messages.push(readMessage(reader));
  } catch (thrown) {
    if (thrown instanceof Malformed) return err(thrown.message);
    throw thrown;
  }
  return ok(messages);
}

function readMessage(reader: RecordReader): Message {
  const kind = KINDS[reader.u8()];
  switch (kind) {
    case undefined:
      throw new Malformed("an unknown message");
    case "hello":
    case "welcome":
      return { kind, version: reader.u16(), trees: reader.u8() };
    case "list":
    case "names":
      return readList(reader, kind);
    case "ranges": {
      const place = readPlace(reader);
      const items = readMany(reader, RANGES_MAX, readItem);
      return { kind, ...place, items };
    }
    case "data": {
      const place = readPlace(reader);
      return { kind, ...place, offsetBytes: reader.integer(0), bytes: reader.bytes(BLOCK_BYTES) };
    }
    case "fileEnd":
    case "directoryEnd":
      return { kind, ...readPlace(reader), meta: readMeta(reader) };
    case "answer": {
      const isMissing = reader.u8() === 1;
      return { kind, isMissing, verdicts: reader.bytes(NAMES_MAX) };
    }
    case "passDone":
      return { kind, dropped: reader.u32() };
    case "fault": {
      const place = readPlace(reader);
      const errno = reader.u32();
      const operation = Buffer.from(reader.bytes(OPERATION_BYTES_MAX)).toString("latin1");
      return { kind, ...place, errno, operation };
    }
    case "remove":
      return { kind, ...readPlace(reader) };
    case "move": {
      const place = readPlace(reader);
      const to = reader.bytes(PATH_BYTES_MAX);
      if (to.length === 0 || place.path.length === 0 || !isRelativePath(to)) {
        throw new Malformed("a move of nothing");
      }
      return { kind, ...place, to };
    }
    case "begin":
      return { kind, isDelta: reader.u8() === 1, why: readText(reader) };
    case "record": {
      const [point, why, flags] = [readText(reader), readText(reader), reader.u8()];
      const places = readMany(reader, PLACES_MAX, readDirty);
      return { kind, point, why, everything: (flags & 1) !== 0, isLast: (flags & 2) !== 0, places };
    }
    case "passEnd":
    case "finish":
    case "finished":
    case "recordAsked":
      return { kind };
    default:
      return assertNever(kind);
  }
}

function readList(reader: RecordReader, kind: "list" | "names"): SourceMessage {
  const place = readPlace(reader);
  const flags = reader.u8();
  if (flags > 3) throw new Malformed("unknown list flags");
  const [begins, ends] = [(flags & 1) !== 0, (flags & 2) !== 0];
  if (kind === "names") {
    const names = readMany(reader, NAMES_MAX, readTypedName);
    return { kind, ...place, begins, ends, names };
  }
  const compare = reader.u8();
  if (compare !== COMPARE.content && compare !== COMPARE.existence) {
    throw new Malformed("an unknown way to compare");
  }
  const entries = readMany(reader, LIST_ENTRIES_MAX, readEntry);
  return { kind, ...place, begins, ends, compare, entries };
}

function readTypedName(reader: RecordReader): TypedName {
  const type = reader.u8();
  const name = reader.raw(reader.u8());
  if (!isName(name)) throw new Malformed("a name that is none");
  return { type, name };
}

function readMany<T>(reader: RecordReader, countMax: number, read: (from: RecordReader) => T): T[] {
  const count = reader.u16();
  if (count > countMax) throw new Malformed("too many");
  return Array.from({ length: count }, () => read(reader));
}

function readPlace(reader: RecordReader): Place {
  const tree = reader.u8();
  const path = reader.bytes(PATH_BYTES_MAX);
  if (!isRelativePath(path)) throw new Malformed("a path that is none");
  return { tree, path };
}

const text = (value: string): Buffer => Buffer.from(value).subarray(0, TEXT_BYTES_MAX);
const readText = (reader: RecordReader): string =>
  Buffer.from(reader.bytes(TEXT_BYTES_MAX)).toString("utf8");

/** Without the inodes: they are numbers of the other node's file system. */
function writeDirty(writer: RecordWriter, place: DirtyEntry): void {
  writer.u8(place.tree);
  writer.bytes(place.path);
  writer.u8((place.listing ? 1 : 0) | (place.subtree ? 2 : 0));
  writer.u16(place.ranges.length);
  for (const { startBytes, endBytes } of place.ranges) {
    writer.integer(startBytes);
    writer.integer(Math.min(endBytes, Number.MAX_SAFE_INTEGER));
  }
}

function readDirty(reader: RecordReader): DirtyEntry {
  const place = readPlace(reader);
  const flags = reader.u8();
  if (flags > 3) throw new Malformed("unknown flags of a place");
  const ranges = readMany(reader, PLACE_RANGES_MAX, readSpan);
  const [listing, subtree] = [(flags & 1) !== 0, (flags & 2) !== 0];
  return {
    tree: place.tree,
    path: Uint8Array.from(place.path),
    listing,
    subtree,
    ranges,
    inodes: [],
  };
}

function readSpan(reader: RecordReader): ByteRange {
  const startBytes = reader.integer(0);
  const endBytes = reader.integer(startBytes);
  const isEnd = endBytes === Number.MAX_SAFE_INTEGER;
  return { startBytes, endBytes: isEnd ? Number.POSITIVE_INFINITY : endBytes };
}

function writeItem(writer: RecordWriter, item: RangeItem): void {
  writer.integer(item.offsetBytes);
  writer.integer(item.lengthBytes);
  writer.u8(item.hash === null ? 0 : 1);
  if (item.hash !== null) writer.raw(item.hash);
}

function readItem(reader: RecordReader): RangeItem {
  const offsetBytes = reader.integer(0);
  const lengthBytes = reader.integer(1);
  const hash = reader.u8() === 0 ? null : reader.raw(HASH_BYTES);
  if (hash !== null && lengthBytes > BLOCK_BYTES) throw new Malformed("too long a block");
  if (!Number.isSafeInteger(offsetBytes + lengthBytes)) throw new Malformed("a range too far out");
  return { offsetBytes, lengthBytes, hash };
}
