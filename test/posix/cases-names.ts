/** Cases about names: creating, linking, renaming, removing, listing. */
import { mkdirSync, opendirSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from "node:fs";
import * as linux from "../../node-agent/adapters/linux/file.ts";
import { attempt, c, facts, get, HERE, list, named, put, same, withFile } from "./case-tools.ts";
import type { Case } from "./cases.ts";

const { O_RDWR, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, O_TRUNC, O_DIRECTORY, O_NOFOLLOW } = linux;
const NOREPLACE = 1;
const EXCHANGE = 2;

const open = (path: string, flags: number, mode = 0o644) => {
  const fd = linux.openat(HERE, c(path), flags, mode);
  if (fd >= 0) linux.close(fd);
  return named(Math.min(fd, 0));
};
const rename = (from: string, to: string, flags = 0) =>
  named(linux.renameat2(HERE, c(from), HERE, c(to), flags));
const link = (from: string, to: string) => named(linux.linkat(HERE, c(from), HERE, c(to), 0));
const unlink = (path: string) => named(linux.unlinkat(HERE, c(path), 0));
const rmdir = (path: string) => named(linux.unlinkat(HERE, c(path), linux.AT_REMOVEDIR));
const mkdir = (path: string, mode = 0o755) => named(linux.mkdirat(HERE, c(path), mode));
const mknod = (path: string, mode: number, rdev = 0) =>
  named(linux.mknodat(HERE, c(path), mode, rdev));

export const NAME_CASES: readonly Case[] = [
  ["open O_CREAT makes a file", () => [open("a", O_RDWR | O_CREAT, 0o640), facts("a")]],
  ["open O_CREAT|O_EXCL of what is there", () => [put("a", "x"), open("a", O_CREAT | O_EXCL)]],
  ["open O_CREAT of what is there keeps it", () => [put("a", "x"), open("a", O_CREAT), get("a")]],
  ["open O_TRUNC empties", () => [put("a", "xyz"), open("a", O_RDWR | O_TRUNC), facts("a")]],
  ["open of nothing", () => open("nothing", O_RDONLY)],
  ["open of a directory for writing", () => [mkdir("d"), open("d", O_WRONLY)]],
  ["open O_DIRECTORY of a file", () => [put("a", ""), open("a", O_DIRECTORY)]],
  [
    "open O_NOFOLLOW of a symlink",
    () => [symlinkSync("x", "s"), open("s", O_RDONLY | O_NOFOLLOW), open("s", O_RDONLY)],
  ],
  ["creating through a dangling symlink", () => [symlinkSync("t", "s"), put("s", "1"), get("t")]],
  ["creating below a file", () => [put("a", ""), put("a/b", "")]],
  ["mkdir", () => [mkdir("d", 0o750), facts("d"), mkdir("d")]],
  ["mkdir below nothing", () => mkdir("no/d")],
  ["rmdir of a directory that is not empty", () => [mkdir("d"), put("d/a", ""), rmdir("d")]],
  [
    "rmdir of a file, unlink of a directory",
    () => [put("a", ""), mkdir("d"), rmdir("a"), unlink("d")],
  ],
  ["rmdir", () => [mkdir("d"), rmdir("d"), facts("d"), facts(".")]],
  ["link counts of directories", () => [mkdir("d"), mkdir("d/e"), mkdir("d/f"), facts("d")]],
  [
    "symlink and readlink",
    () => [symlinkSync("somewhere/else", "s"), readlinkSync("s"), facts("s")],
  ],
  [
    "symlink with a long target",
    () => {
      symlinkSync("t/".repeat(2000), "s");
      return readlinkSync("s").length;
    },
  ],
  ["symlink where something is", () => [put("a", ""), attempt(() => symlinkSync("x", "a"))]],
  ["readlink of a file", () => [put("a", ""), attempt(() => readlinkSync("a"))]],
  ["symlink loop", () => [symlinkSync("b", "a"), symlinkSync("a", "b"), open("a", O_RDONLY)]],
  ["fifo", () => [mknod("p", linux.S_IFIFO | 0o600), facts("p")]],
  ["socket node", () => [mknod("p", linux.S_IFSOCK | 0o600), facts("p")]],
  ["character device", () => [mknod("n", linux.S_IFCHR | 0o600, 0x103), facts("n")]],
  [
    "block device with a large minor",
    () => [mknod("n", linux.S_IFBLK | 0o600, 0x1200_0345), facts("n")],
  ],
  ["mknod of a regular file", () => [mknod("f", linux.S_IFREG | 0o604), facts("f")]],
  [
    "hard link",
    () => [put("a", "1"), link("a", "b"), facts("b"), same("a", "b"), put("b", "22"), get("a")],
  ],
  ["hard link where something is", () => [put("a", ""), put("b", ""), link("a", "b")]],
  ["hard link of a directory", () => [mkdir("d"), link("d", "e")]],
  [
    "hard link of a symlink",
    () => [symlinkSync("x", "s"), link("s", "t"), readlinkSync("t"), facts("t")],
  ],
  [
    "unlink of one of two names",
    () => [put("a", "1"), link("a", "b"), unlink("a"), facts("b"), get("b")],
  ],
  ["a name of 255 bytes", () => [put("n".repeat(255), "1"), list(".").map((name) => name.length)]],
  ["a name of 256 bytes", () => put("n".repeat(256), "1")],
  [
    "a name that is not UTF-8",
    () => {
      const name = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0]);
      const fd = linux.openat(HERE, name, O_CREAT | O_RDWR, 0o600);
      linux.close(fd);
      return list(".");
    },
  ],
  ["a name with a newline, a blank and a backslash", () => [put("a\n \\b", "1"), list(".")]],
  [
    "a name that ends in (deleted)",
    () => [put("x (deleted)", "1"), link("x (deleted)", "y"), get("y")],
  ],
  ["rename", () => [put("a", "1"), rename("a", "b"), get("b"), facts("a")]],
  [
    "rename over a file",
    () => [put("a", "1"), put("b", "2"), rename("a", "b"), get("b"), list(".")],
  ],
  [
    "rename of a file over a directory, and the reverse",
    () => [put("a", ""), mkdir("d"), rename("a", "d"), rename("d", "a")],
  ],
  [
    "rename over an empty directory",
    () => [mkdir("d"), mkdir("e"), put("d/a", "1"), rename("d", "e"), get("e/a")],
  ],
  [
    "rename over a full directory",
    () => [mkdir("d"), mkdir("e"), put("e/a", "1"), rename("d", "e")],
  ],
  ["rename into its own subdirectory", () => [mkdir("d"), mkdir("d/e"), rename("d", "d/e/f")]],
  [
    "rename across directories",
    () => [mkdir("d"), mkdir("e"), put("d/a", "1"), rename("d/a", "e/b"), get("e/b"), list("d")],
  ],
  [
    "rename of a directory with open files in it",
    () => [
      mkdir("d"),
      put("d/a", "1"),
      withFile("d/a", O_RDWR, (fd) => [
        rename("d", "e"),
        linux.pwrite(fd, Buffer.from("22"), 2, 0),
      ]),
      get("e/a"),
    ],
  ],
  [
    "rename between two names of one file",
    () => [put("a", "1"), link("a", "b"), rename("a", "b"), list(".")],
  ],
  [
    "RENAME_NOREPLACE",
    () => [
      put("a", "1"),
      put("b", "2"),
      rename("a", "b", NOREPLACE),
      rename("a", "c", NOREPLACE),
      list("."),
    ],
  ],
  [
    "RENAME_EXCHANGE",
    () => [
      put("a", "1"),
      mkdir("d"),
      put("d/x", "2"),
      rename("a", "d", EXCHANGE),
      get("d"),
      get("a/x"),
    ],
  ],
  ["RENAME_EXCHANGE with nothing", () => [put("a", "1"), rename("a", "b", EXCHANGE)]],
  [
    "listing a large directory",
    () => {
      mkdirSync("many");
      for (let n = 0; n < 1500; n += 1) put(`many/file-${n}`, "");
      const names = list("many");
      return [names.length, names[0], names.at(-1)];
    },
  ],
  [
    "removing while listing",
    () => {
      mkdirSync("many");
      for (let n = 0; n < 300; n += 1) put(`many/${n}`, "");
      const directory = opendirSync("many", { bufferSize: 7 });
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        unlinkSync(`many/${entry.name}`);
      }
      directory.closeSync();
      return list("many");
    },
  ],
  [
    "a path deeper than a page",
    () => {
      const names = Array.from({ length: 25 }, () => "d".repeat(200));
      for (const name of names) {
        mkdirSync(name);
        process.chdir(name);
      }
      const made = [put("a", "deep"), link("a", "b"), rename("a", "c"), get("b"), list(".")];
      for (const _ of names) process.chdir("..");
      return made;
    },
  ],
  [
    "working in a removed directory",
    () => {
      mkdirSync("gone");
      process.chdir("gone");
      rmdirSync("../gone");
      const made = [put("a", "1"), mkdir("b")];
      process.chdir("..");
      return [made, list(".")];
    },
  ],
];
