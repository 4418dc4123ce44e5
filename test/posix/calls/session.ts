/**
 * What a process that makes the calls of cases holds between them, and how their words become
 * arguments. Names of descriptors and mappings are the case's own; `{f}` in a word is a
 * descriptor's number, for /proc/self/fd/{f}.
 */
import { errnoName } from "../../../node-agent/adapters/linux/errno.ts";
import * as linux from "../../../node-agent/adapters/linux/file.ts";
import { quote } from "../language/text.ts";
import type { Mapping } from "./mapping.ts";

/** What a call answers, as cases write it: a number, an error's name, a text. */
export type Outcome = string;
export type Call = (session: Session, ...words: string[]) => Outcome | number;

export const HERE = linux.AT_FDCWD;
/** Rights of what a case makes when it does not care. */
const MODE = 0o644;

export class Session {
  readonly files = new Map<string, number>();
  readonly maps = new Map<string, Mapping>();
  /** Stats to compare with later, by path. */
  readonly noted = new Map<string, readonly string[]>();

  /** The descriptor that the case calls `name`; `cwd` is the folder. A number stands for itself. */
  fd(name: string): number {
    if (name === "cwd") return HERE;
    const fd = this.files.get(name) ?? Number.parseInt(name, 10);
    if (Number.isNaN(fd)) throw new Error(`no descriptor ${name}`);
    return fd;
  }

  map(name: string): Mapping {
    const map = this.maps.get(name);
    if (map === undefined) throw new Error(`no mapping ${name}`);
    return map;
  }

  substitute(word: string): string {
    return word.replaceAll(
      /\{(\w+)\}/g,
      (whole, name: string) => `${this.files.get(name) ?? whole}`,
    );
  }

  close(name: string): number {
    const fd = this.fd(name);
    this.files.delete(name);
    return linux.close(fd);
  }

  /** Back to nothing, for the next case. */
  reset(): void {
    for (const map of this.maps.values()) map.unmap();
    for (const fd of this.files.values()) linux.close(fd);
    this.maps.clear();
    this.files.clear();
    this.noted.clear();
    process.umask(0o022);
    process.chdir("/");
  }
}

/** A path or name as the calls take it: bytes and a final NUL. */
export const c = (text: string): Uint8Array => Buffer.from(`${text}\0`, "latin1");
export const data = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** A result, or its error's name. */
export const told = (result: number): Outcome => (result < 0 ? errnoName(result) : `${result}`);

/** Bytes read, as text; or the error's name. */
export const toldData = (result: number, bytes: Uint8Array): Outcome =>
  result < 0 ? errnoName(result) : quote(Buffer.from(bytes.subarray(0, result)).toString("latin1"));

const UNITS: Record<string, number> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `4096`, `-1`, `0x10`, `4k`, `2t`. */
export function number(word: string | undefined): number {
  const unit = UNITS[word?.at(-1) ?? ""];
  const value = unit === undefined ? Number(word) : Number(word?.slice(0, -1)) * unit;
  if (Number.isNaN(value)) throw new Error(`not a number: ${word}`);
  return value;
}

/** Rights in octal. */
export const mode = (word = MODE.toString(8)): number => Number.parseInt(word, 8);

/** `A|B` by a table of the flags; a number stands for itself. */
export function flags(table: Readonly<Record<string, number>>, text = "0"): number {
  let value = 0;
  for (const name of text.split("|")) {
    const flag = table[name] ?? Number(name);
    if (Number.isNaN(flag)) throw new Error(`no flag ${name}`);
    // Not |: some are beyond 31 bits.
    if (flag !== 0) value += flag;
  }
  return value;
}

export const OPEN_FLAGS = {
  RDONLY: linux.O_RDONLY,
  WRONLY: linux.O_WRONLY,
  RDWR: linux.O_RDWR,
  CREAT: linux.O_CREAT,
  EXCL: linux.O_EXCL,
  TRUNC: linux.O_TRUNC,
  APPEND: linux.O_APPEND,
  NONBLOCK: linux.O_NONBLOCK,
  DSYNC: linux.O_DSYNC,
  SYNC: linux.O_SYNC,
  DIRECT: linux.O_DIRECT,
  DIRECTORY: linux.O_DIRECTORY,
  NOFOLLOW: linux.O_NOFOLLOW,
  NOATIME: linux.O_NOATIME,
  PATH: linux.O_PATH,
  TMPFILE: linux.O_TMPFILE,
} as const;

/** Opens, runs, closes; for calls that open a file for themselves. */
export function withFile(
  path: string,
  openFlags: number,
  action: (fd: number) => Outcome | number,
): Outcome | number {
  const fd = linux.openat(HERE, c(path), openFlags, MODE);
  if (fd < 0) return fd;
  try {
    return action(fd);
  } finally {
    linux.close(fd);
  }
}
