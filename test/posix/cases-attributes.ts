/** Cases about attributes: modes, owners, times, extended attributes, ACLs. */
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync } from "node:fs";
import * as linux from "../../node-agent/adapters/linux/file.ts";
import { timespecs } from "../../node-agent/adapters/linux/stat.ts";
import {
  attempt,
  c,
  facts,
  HERE,
  list,
  modifiedMs,
  named,
  put,
  times,
  withFile,
} from "./case-tools.ts";
import type { Case } from "./cases.ts";

const { O_RDWR, O_WRONLY, AT_SYMLINK_NOFOLLOW } = linux;

const set = (path: string, name: string, value: Uint8Array, flags = 0) =>
  named(linux.setxattr(c(path), c(name), value, value.length, flags));
function get(path: string, name: string): unknown {
  const value = new Uint8Array(4096);
  const length = linux.getxattr(c(path), c(name), value, value.length);
  return length < 0 ? named(length) : Buffer.from(value.subarray(0, length)).toString("hex");
}
function names(path: string): unknown {
  const value = new Uint8Array(4096);
  const length = linux.listxattr(c(path), value, value.length);
  const text = Buffer.from(value.subarray(0, Math.max(0, length))).toString();
  return length < 0 ? named(length) : text.split("\0").sort();
}

/** A `system.posix_acl_*` value (linux/posix_acl_xattr.h): version 2, then tag, rights, id. */
function acl(...entries: [tag: number, rights: number, id: number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + entries.length * 8));
  view.setUint32(0, 2, true);
  entries.forEach(([tag, rights, id], at) => {
    view.setUint16(4 + at * 8, tag, true);
    view.setUint16(6 + at * 8, rights, true);
    view.setUint32(8 + at * 8, id, true);
  });
  return new Uint8Array(view.buffer);
}
const NO_ID = 0xffffffff;
const [USER_OBJ, USER, GROUP_OBJ, MASK, OTHER] = [1, 2, 4, 16, 32];
const ACL_OF_77 = acl(
  [USER_OBJ, 6, NO_ID],
  [USER, 6, 77],
  [GROUP_OBJ, 4, NO_ID],
  [MASK, 6, NO_ID],
  [OTHER, 0, NO_ID],
);

export const ATTRIBUTE_CASES: readonly Case[] = [
  ["chmod", () => [put("a", ""), chmodSync("a", 0o4711), facts("a")]],
  [
    "chmod of an open file",
    () => [put("a", ""), withFile("a", O_RDWR, (fd) => named(linux.fchmod(fd, 0o600))), facts("a")],
  ],
  ["chown", () => [put("a", ""), chownSync("a", 1234, 5678), facts("a")]],
  [
    "chown takes suid and sgid away",
    () => [put("a", ""), chmodSync("a", 0o6755), chownSync("a", 1, 1), facts("a")],
  ],
  ["chown of a symlink itself", () => [symlinkSync("x", "s"), lchownSync("s", 7, 8), facts("s")]],
  [
    "a write by root keeps suid",
    () => [
      put("a", ""),
      chmodSync("a", 0o6755),
      withFile("a", O_WRONLY, (fd) => named(linux.pwrite(fd, Buffer.from("x"), 1, 0))),
      facts("a"),
    ],
  ],
  [
    "the umask",
    () => {
      process.umask(0o027);
      put("a", "");
      mkdirSync("d", 0o777);
      process.umask(0o022);
      return [facts("a"), facts("d")];
    },
  ],
  [
    "a setgid directory hands its group on",
    () => {
      mkdirSync("d");
      chownSync("d", 0, 4321);
      chmodSync("d", 0o2775);
      put("d/a", "");
      mkdirSync("d/e");
      return [facts("d/a"), facts("d/e")];
    },
  ],
  [
    "times to the nanosecond, before 1970 too",
    () => {
      put("a", "");
      const [old, recent] = [
        { seconds: -5, nanoseconds: 123_456_789 },
        { seconds: 1_700_000_000, nanoseconds: 987_654_321 },
      ];
      linux.utimensat(HERE, c("a"), timespecs(old, recent), 0);
      return times("a");
    },
  ],
  [
    "one time only",
    () => {
      put("a", "");
      const time = { seconds: 1000, nanoseconds: 5 };
      linux.utimensat(HERE, c("a"), timespecs(time, time), 0);
      linux.utimensat(HERE, c("a"), timespecs({ seconds: 2000, nanoseconds: 6 }, null), 0);
      return times("a");
    },
  ],
  [
    "now",
    () => {
      put("a", "");
      linux.utimensat(HERE, c("a"), timespecs({ seconds: 1, nanoseconds: 0 }, null), 0);
      linux.utimensat(HERE, c("a"), timespecs(null, "now"), 0);
      return modifiedMs("a") > 1e12;
    },
  ],
  [
    "times of a symlink and of a directory",
    () => {
      symlinkSync("x", "s");
      mkdirSync("d");
      const time = { seconds: 77, nanoseconds: 88 };
      linux.utimensat(HERE, c("s"), timespecs(time, time), AT_SYMLINK_NOFOLLOW);
      linux.utimensat(HERE, c("d"), timespecs(time, time), 0);
      return [times("s"), times("d")];
    },
  ],
  [
    "extended attributes",
    () => [
      put("a", ""),
      set("a", "user.one", Buffer.from("1")),
      set("a", "user.two", Buffer.alloc(3000, 7)),
      set("a", "trusted.three", Buffer.alloc(0)),
      names("a"),
      get("a", "user.one"),
      get("a", "trusted.three"),
    ],
  ],
  [
    "replacing and creating extended attributes",
    () => [
      put("a", ""),
      set("a", "user.one", Buffer.from("1"), 2),
      set("a", "user.one", Buffer.from("1"), 1),
      set("a", "user.one", Buffer.from("2"), 1),
      set("a", "user.one", Buffer.from("3"), 2),
      get("a", "user.one"),
    ],
  ],
  [
    "removing extended attributes",
    () => [
      put("a", ""),
      set("a", "user.one", Buffer.from("1")),
      named(linux.removexattr(c("a"), c("user.one"))),
      named(linux.removexattr(c("a"), c("user.one"))),
      names("a"),
    ],
  ],
  [
    "an extended attribute of a directory",
    () => [mkdirSync("d"), set("d", "user.x", Buffer.from("1")), get("d", "user.x")],
  ],
  [
    "an extended attribute that is too small a buffer away",
    () => {
      put("a", "");
      set("a", "user.x", Buffer.from("12345"));
      return [
        named(linux.getxattr(c("a"), c("user.x"), new Uint8Array(2), 2)),
        named(linux.getxattr(c("a"), c("user.x"), null, 0)),
        named(linux.listxattr(c("a"), new Uint8Array(1), 1)),
      ];
    },
  ],
  ["a name outside every namespace", () => [put("a", ""), set("a", "strange", Buffer.from("1"))]],
  [
    "an ACL changes the mode's group bits",
    () => [
      put("a", ""),
      chmodSync("a", 0o600),
      set("a", "system.posix_acl_access", ACL_OF_77),
      facts("a"),
      get("a", "system.posix_acl_access"),
    ],
  ],
  [
    "chmod changes an ACL's mask",
    () => [
      put("a", ""),
      set("a", "system.posix_acl_access", ACL_OF_77),
      chmodSync("a", 0o640),
      get("a", "system.posix_acl_access"),
    ],
  ],
  [
    "a default ACL is inherited and overrides the umask",
    () => {
      mkdirSync("d");
      const result = set("d", "system.posix_acl_default", ACL_OF_77);
      process.umask(0o077);
      put("d/a", "");
      mkdirSync("d/e", 0o777);
      process.umask(0o022);
      return [
        result,
        facts("d/a"),
        get("d/a", "system.posix_acl_access"),
        facts("d/e"),
        get("d/e", "system.posix_acl_default"),
      ];
    },
  ],
  [
    "statfs tells the real file system's block size",
    () => {
      const { statfsSync } = process.getBuiltinModule("node:fs");
      return attempt(() => statfsSync(".").bsize);
    },
  ],
  [
    "a program runs from here",
    () => {
      const { execFileSync } = process.getBuiltinModule("node:child_process");
      put("run", "#!/bin/sh\necho ran $1\n");
      chmodSync("run", 0o755);
      return [execFileSync("./run", ["well"]).toString(), list(".")];
    },
  ],
];
