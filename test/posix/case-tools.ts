/** Short words for the cases: each call answers its result, or the error's name. */
import { errnoName } from "../../node-agent/adapters/linux/errno.ts";
import * as linux from "../../node-agent/adapters/linux/file.ts";
import { cString } from "../../node-agent/adapters/linux/library.ts";
import { Stat } from "../../node-agent/adapters/linux/stat.ts";

/** The number, or `"ENOENT"` and the like. */
export type Outcome = number | string;

export const named = (result: number): Outcome => (result < 0 ? errnoName(result) : result);
export const c = cString;
export const HERE = linux.AT_FDCWD;

/** What node:fs answers or throws. */
export function attempt<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
}

const { O_RDWR, O_CREAT } = linux;

/** Opens, runs, closes. */
export function withFile<T>(path: string, flags: number, action: (fd: number) => T): T | string {
  const fd = linux.openat(HERE, c(path), flags, 0o644);
  if (fd < 0) return errnoName(fd);
  try {
    return action(fd);
  } finally {
    linux.close(fd);
  }
}

/** Makes `path` with this content. */
export const put = (path: string, content: string | Uint8Array): Outcome =>
  withFile(path, O_RDWR | O_CREAT | linux.O_TRUNC, (fd) => {
    const bytes = Buffer.from(content);
    return named(linux.pwrite(fd, bytes, bytes.length, 0));
  });

export const get = (path: string): string =>
  withFile(path, linux.O_RDONLY, (fd) => {
    const bytes = new Uint8Array(1 << 20);
    const length = linux.pread(fd, bytes, bytes.length, 0);
    return length < 0
      ? errnoName(length)
      : Buffer.from(bytes.subarray(0, length)).toString("latin1");
  });

/** What stat(2) says, without what differs from one directory to the next. */
export function facts(path: string): unknown {
  const stat = new Stat();
  const result = stat.at(HERE, c(path));
  if (result < 0) return errnoName(result);
  const { mode, uid, gid, linkCount, sizeBytes, rdev, type } = stat;
  const size = type === linux.S_IFDIR ? 0 : sizeBytes;
  return { mode: mode.toString(8), uid, gid, links: linkCount, size, rdev };
}

export function times(path: string): unknown {
  const stat = new Stat();
  stat.at(HERE, c(path));
  return { atime: stat.atime, mtime: stat.mtime };
}

/** Milliseconds since 1970 of its modification. */
export function modifiedMs(path: string): number {
  const stat = new Stat();
  stat.at(HERE, c(path));
  return stat.mtime.seconds * 1000 + stat.mtime.nanoseconds / 1e6;
}

export const same = (a: string, b: string): boolean => {
  const [first, second] = [new Stat(), new Stat()];
  first.at(HERE, c(a));
  second.at(HERE, c(b));
  return first.inode === second.inode;
};

export const list = (path: string): string[] => {
  const { readdirSync } = process.getBuiltinModule("node:fs");
  return readdirSync(path, "latin1").sort();
};
