/**
 * The durable point that a replicated directory itself is marked with, as an extended attribute of
 * its root. The record of changes lies elsewhere, in the state directory: if only one of the two is
 * put back to an older state, or another disk (or none) is mounted, they do not fit together, and
 * nothing that the record says is believed.
 *
 * The mark belongs to this node alone: a resync neither compares nor copies it.
 */
import * as file from "../adapters/linux/file.ts";
import { effectiveUid } from "../adapters/linux/identity.ts";
import { withNul } from "../adapters/linux/library.ts";

/** Only root may have attributes of the first kind, which nobody else gets to see. */
const NAME = Buffer.from(
  effectiveUid() === 0 ? "trusted.mirrorfarm.point" : "user.mirrorfarm.point",
);
const MARK_BYTES_MAX = 256;
const value = new Uint8Array(MARK_BYTES_MAX);

export const isMark = (name: Uint8Array): boolean => Buffer.compare(name, NAME) === 0;

/** The mark of the directory; null when it has none. */
export function markOf(rootFd: number): string | null {
  const length = file.getxattr(file.descriptorPath(rootFd), withNul(NAME), value, value.length);
  return length < 0 ? null : Buffer.from(value.subarray(0, length)).toString();
}

/** 0 or -errno. Durable after an fsync(2) of the directory. */
export function setMark(rootFd: number, point: string): number {
  const bytes = Buffer.from(point);
  return file.setxattr(file.descriptorPath(rootFd), withNul(NAME), bytes, bytes.length, 0);
}

/**
 * Which of `points` (oldest first) all directories surely have; null: one is marked otherwise, so it
 * is not the directory that they were noted of.
 */
export function markedPoint(rootFds: readonly number[], points: readonly string[]): string | null {
  let oldest = points.length - 1;
  for (const rootFd of rootFds) {
    const at = points.indexOf(markOf(rootFd) ?? "");
    if (at < 0) return null;
    oldest = Math.min(oldest, at);
  }
  return points[oldest] ?? null;
}
