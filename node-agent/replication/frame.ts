/**
 * Frames: what crosses between the two data threads. A frame is a 24-byte header and a body; many
 * frames travel in one sealed record (sealed-stream.ts), whose GCM tag is their checksum.
 *
 * | bytes | field                                                         |
 * | ----- | ------------------------------------------------------------- |
 * | 0-3   | length of the whole frame                                     |
 * | 4     | kind: an operation (operation-codec.ts) or one of the below   |
 * | 5     | 1: an operation whose caller waits until it is applied; or 0  |
 * | 6-7   | zero                                                          |
 * | 8-15  | epoch of the sender: in every frame, checked at the receiver  |
 * | 16-23 | sequence: of the operation, or what is acknowledged; or zero  |
 *
 * A frame that is not understood to the last byte is an error; the receiver closes the link and
 * has changed nothing for it. New kinds are announced by feature bits in the hello (hello.ts), so
 * that a peer of another version is never sent what it does not know.
 */

import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { Operation } from "./operation.ts";
import {
  codeOf,
  decodeOperation,
  encodeOperation,
  isOperationCode,
  WRITE_BYTES_MAX,
} from "./operation-codec.ts";
import { WireReader, type WireWriter } from "./wire.ts";

export const FRAME_HEADER_BYTES = 24;
/** A header, the fields of a write, 1 MiB of data: nothing else comes near it. */
export const FRAME_BYTES_MAX = FRAME_HEADER_BYTES + 64 + WRITE_BYTES_MAX;
export const ATTACHMENT_ID_BYTES = 16;
const TEXT_BYTES_MAX = 1024;
const AWAITED = 1;

/** Kinds of the frames that are no operations; never renumbered. */
const KIND = {
  openStream: 64,
  resumeStream: 65,
  beginResync: 66,
  repeatFsync: 67,
  pointAsked: 68,
  continueFrom: 80,
  resyncAdmitted: 81,
  applied: 82,
  durable: 83,
  refused: 84,
  fault: 85,
  pointNoted: 86,
} as const;

export type Frame =
  | {
      readonly kind: "operation";
      readonly sequence: number;
      readonly operation: Operation;
      /** Somebody waits for `applied`: it is due at once, not when it suits. */
      readonly isAwaited: boolean;
    }
  /** Primary, first on a live connection: the copy resynced for `attachmentId` is to follow. */
  | { readonly kind: "openStream"; readonly attachmentId: Uint8Array }
  /** Primary, first on a live connection: the stream of `attachmentId` goes on. */
  | { readonly kind: "resumeStream"; readonly attachmentId: Uint8Array }
  /** Primary, first on a resync connection. */
  | { readonly kind: "beginResync"; readonly attachmentId: Uint8Array }
  /** Primary: the answer to fsync `sequence` was lost with a connection; do it again. */
  | { readonly kind: "repeatFsync"; readonly sequence: number; readonly operation: Operation }
  /**
   * Primary, when it has sent everything up to `sequence`: bring that to the disk, and note it as a
   * durable point. What was touched before the point `settled` may be forgotten.
   */
  | { readonly kind: "pointAsked"; readonly sequence: number; readonly settled: number }
  /** Secondary, answers `pointAsked`: it is on the disk and noted. */
  | { readonly kind: "pointNoted"; readonly sequence: number }
  /** Secondary, answers both openings: operations up to `sequence` have been applied. */
  | { readonly kind: "continueFrom"; readonly sequence: number }
  /** Secondary, answers `beginResync`: its main thread allows its copy to be overwritten. */
  | { readonly kind: "resyncAdmitted" }
  /** Secondary: every operation up to `sequence` has been applied. */
  | { readonly kind: "applied"; readonly sequence: number }
  /** Secondary: the fsync or syncfs `sequence` has reached the disk. */
  | { readonly kind: "durable"; readonly sequence: number }
  /** Secondary: nothing of this epoch is accepted; it knows `known`. */
  | { readonly kind: "refused"; readonly known: Epoch; readonly reason: string }
  /** Secondary: operation `sequence` failed here; nothing after it was applied. */
  | {
      readonly kind: "fault";
      readonly sequence: number;
      readonly errno: number;
      readonly reason: string;
    };

export type FrameError = { readonly kind: "malformedFrame"; readonly reason: string };
export type DecodedFrame = { readonly epoch: Epoch; readonly frame: Frame };

/** Appends one frame. */
export function encodeFrame(to: WireWriter, epoch: Epoch, frame: Frame): void {
  const start = to.length;
  to.u32(0);
  to.u8(frame.kind === "operation" ? codeOf(frame.operation.kind) : KIND[frame.kind]);
  to.u8(frame.kind === "operation" && frame.isAwaited ? AWAITED : 0);
  to.u16(0);
  to.u64(epoch);
  to.u64("sequence" in frame ? frame.sequence : 0);
  encodeBody(to, frame);
  to.patchU32(start, to.length - start);
}

function encodeBody(to: WireWriter, frame: Frame): void {
  switch (frame.kind) {
    case "operation":
      encodeOperation(to, frame.operation);
      return;
    case "repeatFsync":
      to.u8(codeOf(frame.operation.kind));
      encodeOperation(to, frame.operation);
      return;
    case "openStream":
    case "resumeStream":
    case "beginResync":
      to.raw(frame.attachmentId);
      return;
    case "pointAsked":
      to.u64(frame.settled);
      return;
    case "refused":
      to.u64(frame.known);
      to.short(text(frame.reason));
      return;
    case "fault":
      to.u32(frame.errno);
      to.short(text(frame.reason));
      return;
    default:
      return;
  }
}

const text = (value: string): Buffer => Buffer.from(value, "utf8").subarray(0, TEXT_BYTES_MAX);

const malformed = (reason: string): Result<never, FrameError> =>
  err({ kind: "malformedFrame", reason });

/**
 * Calls `take` for each frame in `record`, in order, until it returns false. An error means that
 * the frame at that place is malformed; those before it have been taken.
 */
export function decodeFrames(
  record: Buffer,
  take: (decoded: DecodedFrame) => boolean,
): Result<void, FrameError> {
  let at = 0;
  while (at < record.length) {
    if (record.length - at < FRAME_HEADER_BYTES) return malformed("a header is cut short");
    const length = record.readUInt32LE(at);
    if (length < FRAME_HEADER_BYTES || length > FRAME_BYTES_MAX) {
      return malformed(`a frame of ${length} bytes`);
    }
    if (length > record.length - at) return malformed("a frame is longer than its record");
    const decoded = decodeFrame(new WireReader(record, at + 4, at + length));
    if (!decoded.ok) return decoded;
    if (!take(decoded.value)) return ok(undefined);
    at += length;
  }
  return ok(undefined);
}

function decodeFrame(from: WireReader): Result<DecodedFrame, FrameError> {
  const code = from.u8();
  const [flags, reserved] = [from.u8(), from.u16()];
  const flagsMax = isOperationCode(code) ? AWAITED : 0;
  if (flags > flagsMax || reserved !== 0) return malformed("flags of no known meaning");
  const [epoch, sequence] = [from.u64(), from.u64()];
  const frame = decodeBody(from, code, sequence, flags === AWAITED);
  if (frame === null) return malformed(`kind ${code} is not known`);
  if (!from.isSound) return malformed(`a field of kind ${code} is out of bounds`);
  if (!from.isAtEnd) return malformed(`kind ${code} has bytes left over`);
  return ok({ epoch, frame });
}

function decodeBody(
  from: WireReader,
  code: number,
  sequence: number,
  isAwaited: boolean,
): Frame | null {
  if (isOperationCode(code)) {
    if (sequence === 0) from.fail();
    const operation = decodeOperation(from, code);
    return operation === null ? null : { kind: "operation", sequence, operation, isAwaited };
  }
  switch (code) {
    case KIND.openStream:
      return { kind: "openStream", attachmentId: from.raw(ATTACHMENT_ID_BYTES) };
    case KIND.resumeStream:
      return { kind: "resumeStream", attachmentId: from.raw(ATTACHMENT_ID_BYTES) };
    case KIND.beginResync:
      return { kind: "beginResync", attachmentId: from.raw(ATTACHMENT_ID_BYTES) };
    case KIND.repeatFsync: {
      const operation = decodeOperation(from, from.u8());
      if (operation?.kind !== "fsync" && operation?.kind !== "syncfs") return null;
      return { kind: "repeatFsync", sequence, operation };
    }
    case KIND.pointAsked:
      return { kind: "pointAsked", sequence, settled: from.u64() };
    case KIND.pointNoted:
      return { kind: "pointNoted", sequence };
    case KIND.continueFrom:
      return { kind: "continueFrom", sequence };
    case KIND.resyncAdmitted:
      return { kind: "resyncAdmitted" };
    case KIND.applied:
      return { kind: "applied", sequence };
    case KIND.durable:
      return { kind: "durable", sequence };
    case KIND.refused:
      return { kind: "refused", known: from.u64(), reason: reason(from) };
    case KIND.fault:
      return { kind: "fault", sequence, errno: from.u32(), reason: reason(from) };
    default:
      return null;
  }
}

const reason = (from: WireReader): string => from.short(0, TEXT_BYTES_MAX).toString("utf8");
