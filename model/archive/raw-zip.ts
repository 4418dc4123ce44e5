import { Buffer } from "node:buffer";
import { crc32, deflateRawSync } from "node:zlib";

/**
 * A zip archive written by hand, for tests: every field may lie. Only what a hostile archive needs;
 * for true ones there is `writeModuleArchive`. Fields: APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16.
 */
export type RawEntry = {
  readonly name: string | Buffer;
  readonly data?: Buffer;
  /** Unix mode with the kind of file; by default a regular one. */
  readonly mode?: number;
  /** Deflated already, with what it unpacks to. */
  readonly packed?: { readonly bytes: Buffer; readonly size: number; readonly checksum: number };
  readonly claimedSize?: number;
  readonly claimedChecksum?: number;
  readonly localName?: string;
  readonly extra?: Buffer;
  readonly flags?: number;
  readonly host?: number;
  /** Points at a local header that stands somewhere else in the archive already. */
  readonly localOffset?: number;
};

/** What surrounds the entries, and what the last record claims. */
export type RawArchive = {
  readonly before?: Buffer;
  readonly after?: Buffer;
  readonly comment?: Buffer;
  readonly claimedCount?: number;
};

const REGULAR = 0o100644;

/** Packs the entries as they say they are. */
export function rawZip(entries: readonly RawEntry[], archive: RawArchive = {}): Buffer {
  const parts = [archive.before ?? Buffer.alloc(0)];
  const records: Buffer[] = [];
  let offset = parts[0]?.length ?? 0;
  for (const entry of entries) {
    const packed = pack(entry);
    records.push(centralRecord(entry, packed, entry.localOffset ?? offset));
    if (entry.localOffset !== undefined) continue;
    const local = Buffer.concat([localHeader(entry, packed), packed.bytes]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(records);
  const end = endRecord(archive, entries.length, directory.length, offset);
  return Buffer.concat([...parts, directory, end, archive.after ?? Buffer.alloc(0)]);
}

type Packed = { readonly bytes: Buffer; readonly size: number; readonly checksum: number };

function pack({ data = Buffer.alloc(0), packed }: RawEntry): Packed {
  return packed ?? { bytes: deflateRawSync(data), size: data.length, checksum: crc32(data) };
}

function localHeader(entry: RawEntry, packed: Packed): Buffer {
  const name = Buffer.from(entry.localName ?? entry.name);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  writeCommon(header, 6, entry, packed);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name]);
}

function centralRecord(entry: RawEntry, packed: Packed, offset: number): Buffer {
  const name = Buffer.from(entry.name);
  const extra = entry.extra ?? Buffer.alloc(0);
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(((entry.host ?? 3) << 8) | 20, 4);
  record.writeUInt16LE(20, 6);
  writeCommon(record, 8, entry, packed);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt32LE(((entry.mode ?? REGULAR) << 16) >>> 0, 38);
  record.writeUInt32LE(offset, 42);
  return Buffer.concat([record, name, extra]);
}

/** Flags, method, time, date, checksum and both sizes, which both headers have in this order. */
function writeCommon(header: Buffer, at: number, entry: RawEntry, packed: Packed): void {
  header.writeUInt16LE(entry.flags ?? 0, at);
  header.writeUInt16LE(8, at + 2);
  header.writeUInt32LE(entry.claimedChecksum ?? packed.checksum, at + 8);
  header.writeUInt32LE(packed.bytes.length, at + 12);
  header.writeUInt32LE(entry.claimedSize ?? packed.size, at + 16);
}

function endRecord(archive: RawArchive, count: number, length: number, offset: number): Buffer {
  const claimed = archive.claimedCount ?? count;
  const comment = archive.comment ?? Buffer.alloc(0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(claimed, 0xffff), 8);
  end.writeUInt16LE(Math.min(claimed, 0xffff), 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  if (claimed <= 0xffff) return Buffer.concat([end, comment]);
  return Buffer.concat([zip64End(claimed, length, offset), end, comment]);
}

/** APPNOTE.TXT 4.3.14 and 4.3.15: where a count has more than 16 bits. */
function zip64End(count: number, length: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(length), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}
