/** Cases run by a user without rights (65534), in a directory of its own. */
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import * as linux from "../../node-agent/adapters/linux/file.ts";
import { attempt, c, facts, get, HERE, named, put, withFile } from "./case-tools.ts";
import type { Case } from "./cases.ts";

const { O_RDONLY, O_WRONLY } = linux;

/** `../root-only` (0700, root's), `../readable` (0644, root's, "r") and `../grouped` are there. */
export const USER_CASES: readonly Case[] = [
  [
    "what it makes belongs to it",
    () => {
      put("a", "1");
      mkdirSync("d");
      symlinkSync("x", "s");
      linux.mknodat(HERE, c("p"), linux.S_IFIFO | 0o600, 0);
      return [facts("a"), facts("d"), facts("s"), facts("p")];
    },
  ],
  [
    "another's file may be read, not written",
    () => [
      get("../readable"),
      put("../readable", "x"),
      named(linux.unlinkat(HERE, c("../readable"), 0)),
    ],
  ],
  ["another's directory is closed", () => [get("../root-only/secret"), put("../root-only/a", "")]],
  [
    "chown is refused",
    () => [
      put("a", ""),
      named(linux.fchownat(HERE, c("a"), 0, 0, 0)),
      named(linux.fchownat(HERE, c("../readable"), 65534, 65534, 0)),
    ],
  ],
  ["chmod of another's file is refused", () => attempt(() => chmodSync("../readable", 0o777))],
  [
    "times of another's file are refused",
    () => named(linux.utimensat(HERE, c("../readable"), null, 0)),
  ],
  [
    "a file of mode 0 is closed to its owner too",
    () => {
      put("a", "1");
      chmodSync("a", 0);
      return [get("a"), facts("a")];
    },
  ],
  [
    "creating a file that nobody may write, open for writing",
    () => {
      const fd = linux.openat(HERE, c("a"), linux.O_RDWR | linux.O_CREAT | linux.O_EXCL, 0o400);
      const written = linux.pwrite(fd, Buffer.from("1"), 1, 0);
      linux.close(fd);
      return [written, facts("a"), withFile("a", O_WRONLY, () => 0)];
    },
  ],
  [
    "a write takes suid and sgid away",
    () => {
      put("a", "");
      chmodSync("a", 0o6755);
      const before = facts("a");
      withFile("a", O_WRONLY, (fd) => linux.pwrite(fd, Buffer.from("1"), 1, 0));
      return [before, facts("a")];
    },
  ],
  [
    "a truncation takes suid away",
    () => {
      put("a", "123");
      chmodSync("a", 0o4755);
      linux.truncate(c("a"), 1);
      return facts("a");
    },
  ],
  [
    "a setgid directory of a group that is not ours",
    () => {
      put("../grouped/a", "");
      mkdirSync("../grouped/d");
      return [facts("../grouped/a"), facts("../grouped/d")];
    },
  ],
  [
    "setgid for a group that is not ours is dropped",
    () => {
      put("../grouped/b", "");
      return [attempt(() => chmodSync("../grouped/b", 0o2755)), facts("../grouped/b")];
    },
  ],
  [
    "a sticky directory protects others' files",
    () => [
      named(linux.unlinkat(HERE, c("../sticky/roots"), 0)),
      named(linux.renameat2(HERE, c("../sticky/roots"), HERE, c("../sticky/mine"), 0)),
    ],
  ],
  ["an ACL lets it in", () => [attempt(() => readFileSync("../by-acl").toString())]],
  [
    "trusted attributes are root's",
    () => [
      put("a", ""),
      named(linux.setxattr(c("a"), c("trusted.x"), Buffer.from("1"), 1, 0)),
      withFile("a", O_RDONLY, () => 0),
    ],
  ],
  [
    "device files are root's",
    () => named(linux.mknodat(HERE, c("n"), linux.S_IFCHR | 0o600, 0x103)),
  ],
];
