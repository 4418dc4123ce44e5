/**
 * Where cases run: file systems of their own (ext4 in image files), each with a bare directory, one
 * to be mounted over, and one for the copy. Everything is gone after `remove`.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { AT_FDCWD, mknodat, S_IFREG, utimensat } from "../../node-agent/adapters/linux/file.ts";
import { cString } from "../../node-agent/adapters/linux/library.ts";
import { cutPowerOf } from "../lab/power.ts";
import type { Case } from "./language/parse.ts";
import type { ServeOptions } from "./serve-options.ts";

export type PlaceName = "ordinary" | "small" | "read-only" | "secondary" | "failing";

type PlaceKind = {
  /** For the table in docs/POSIX.md. */
  readonly what: string;
  /** Of each file system; the copy's is the ordinary size, so that it holds what the first does. */
  readonly mebibytes: number;
  /** The bare directory's disk; the other two as well, unless the mount is a secondary's. */
  readonly isReadOnly: boolean;
  /** Three disks rather than one. */
  readonly hasOwnDisks: boolean;
  readonly role: ServeOptions["role"];
  /** What the bare directory and the mount's hold in the end is the same. */
  readonly isLikeBare: boolean;
  /** What the directories hold can be compared afterwards. */
  readonly isComparable: boolean;
  /** Each case gets a place of its own, which it spoils. */
  readonly isForOne: boolean;
};

const ORDINARY: PlaceKind = {
  what: "an ordinary disk",
  mebibytes: 1024,
  isReadOnly: false,
  hasOwnDisks: false,
  role: "primary",
  isComparable: true,
  isLikeBare: true,
  isForOne: false,
};

export const PLACES: Record<PlaceName, PlaceKind> = {
  ordinary: ORDINARY,
  small: {
    ...ORDINARY,
    what: "a disk of 4 MiB and 300 inodes",
    mebibytes: 4,
    isLikeBare: false,
    hasOwnDisks: true,
    isForOne: true,
  },
  "read-only": { ...ORDINARY, what: "a disk that is mounted read-only", isReadOnly: true },
  secondary: {
    ...ORDINARY,
    what: "the mount of a secondary",
    isReadOnly: true,
    hasOwnDisks: true,
    role: "secondary",
  },
  failing: {
    ...ORDINARY,
    what: "a disk that fails in the middle",
    mebibytes: 4,
    hasOwnDisks: true,
    isComparable: false,
    isForOne: true,
  },
};

/** Of a small disk, for root alone. */
const RESERVED_PERCENT = 20;
const INODES_OF_SMALL = 300;
const INODES_OF_ORDINARY = 350_000;
const STEP_MS_MAX = 20_000;

const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { timeout: STEP_MS_MAX, stdio: "pipe" }).toString();

/** All of the year 1970: zeros. */
const LONG_AGO = new Uint8Array(32);

function makeCrowd(prefix: string, count: number): void {
  mkdirSync(path.dirname(prefix));
  for (let n = 0; n < count; n += 1) {
    const path = cString(`${prefix}${n}`);
    mknodat(AT_FDCWD, path, S_IFREG | 0o644, 0);
    utimensat(AT_FDCWD, path, LONG_AGO, 0);
  }
}

export class Place {
  readonly #kind: PlaceKind;
  readonly #mounts: string[] = [];
  readonly bare: string;
  readonly served: string;
  readonly copy: string;

  /** Makes the file systems below `folder`, and in each directory a folder for each case. */
  constructor(name: PlaceName, folder: string, cases: readonly Case[]) {
    this.#kind = PLACES[name];
    // Users without rights must get in.
    chmodSync(folder, 0o755);
    const disk = (of: string, mebibytes: number) => this.#makeDisk(folder, of, mebibytes);
    const { mebibytes, hasOwnDisks, isReadOnly, role } = this.#kind;
    const shared = hasOwnDisks ? null : disk("disk", mebibytes);
    this.bare = path.join(shared ?? disk("bare-disk", mebibytes), "bare");
    this.served = path.join(shared ?? disk("served-disk", mebibytes), "served");
    this.copy = path.join(shared ?? disk("copy-disk", ORDINARY.mebibytes), "copy");
    for (const each of [this.bare, this.served, this.copy]) this.#furnish(each, cases);
    const writable = [this.served, this.copy].map((each) => path.dirname(each));
    for (const mount of this.#mounts) {
      const staysWritable = role === "secondary" && writable.includes(mount);
      if (isReadOnly && !staysWritable) run("mount", "-o", "remount,ro", mount);
    }
  }

  #makeDisk(folder: string, name: string, mebibytes: number): string {
    const image = path.join(folder, `${name}.img`);
    writeFileSync(image, "");
    truncateSync(image, mebibytes * 1024 * 1024);
    const isSmall = mebibytes < ORDINARY.mebibytes;
    const size = isSmall
      ? ["-m", `${RESERVED_PERCENT}`, "-O", "^has_journal", "-N", `${INODES_OF_SMALL}`]
      : ["-J", "size=64", "-N", `${INODES_OF_ORDINARY}`];
    run("mkfs.ext4", "-q", "-F", "-b", "4096", ...size, image);
    const mount = path.join(folder, name);
    mkdirSync(mount);
    run("mount", "-o", "loop", image, mount);
    this.#mounts.push(mount);
    return mount;
  }

  /** What is there before: in every case's folder `given`, `given-dir/inside` and `given-link`. */
  #furnish(directory: string, cases: readonly Case[]): void {
    mkdirSync(directory);
    for (const [at, { given }] of cases.entries()) {
      const folder = path.join(directory, `${at}`);
      mkdirSync(folder);
      chmodSync(folder, 0o777);
      if (this.#kind.isReadOnly || !this.#kind.isComparable) {
        writeFileSync(path.join(folder, "given"), "given");
        mkdirSync(path.join(folder, "given-dir"));
        writeFileSync(path.join(folder, "given-dir/inside"), "");
        symlinkSync("given", path.join(folder, "given-link"));
        for (const name of ["given-dir/inside", "given-dir", "given"]) {
          utimesSync(path.join(folder, name), 1, 1);
        }
        lutimesSync(path.join(folder, "given-link"), 1, 1);
      }
      if (given !== null) makeCrowd(path.join(folder, given.prefix), given.count);
      // All three are the same from the beginning.
      utimesSync(folder, 1, 1);
    }
    utimesSync(directory, 1, 1);
  }

  /** From here on every call that needs the disk of `directory` fails. */
  fail(directory: string): void {
    cutPowerOf(path.join(directory, ".."));
  }

  remove(): void {
    for (const mount of this.#mounts.splice(0)) run("umount", "-l", mount);
  }
}
