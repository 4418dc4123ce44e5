import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ERRNO } from "../adapters/linux/errno.ts";
import { Applier } from "./applier.ts";
import type { Operation } from "./operation.ts";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const isRoot = uid === 0;
const name = (text: string): Buffer => Buffer.from(text);
const birth = (mode: number) => ({ mode, uid, gid });

describe("an applier", () => {
  let folder: string;
  let root: number;
  let applier: Applier;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mirrorfarm-applier-"));
    mkdirSync(join(folder, "tree"));
    root = openSync(join(folder, "tree"), "r");
    applier = new Applier([root]);
  });
  afterEach(() => {
    applier.reset();
    closeSync(root);
    rmSync(folder, { recursive: true, force: true });
  });

  const at = (path: string): string => join(folder, "tree", path);
  /** All must succeed. */
  const apply = (...operations: Operation[]): void => {
    for (const operation of operations)
      expect([operation.kind, applier.apply(operation)]).toEqual([operation.kind, 0]);
  };
  const create = (
    id: number,
    text: string,
    mode = 0o100644,
  ): Extract<Operation, { kind: "create" }> => ({
    kind: "create",
    parent: 1,
    name: name(text),
    id,
    birth: birth(mode),
    rdev: 0,
  });
  const write = (id: number, text: string, offsetBytes = 0): Operation => ({
    kind: "write",
    id,
    offsetBytes,
    data: name(text),
  });

  const rename = (from: string, to: string): Operation => ({
    kind: "rename",
    parent: 1,
    name: name(from),
    newParent: 1,
    newName: name(to),
    flags: 0,
  });

  test("gives what it makes exactly the mode it was born with, whatever the umask", () => {
    const before = process.umask(0o077);
    apply(create(2, "f", 0o100666), {
      kind: "mkdir",
      parent: 1,
      name: name("d"),
      id: 3,
      birth: birth(0o041777),
    });
    process.umask(before);
    expect(statSync(at("f")).mode).toBe(0o100666);
    expect(statSync(at("d")).mode).toBe(0o041777);
  });

  test.skipIf(!isRoot)(
    "gives it its owner, and keeps suid and sgid through that (needs root)",
    () => {
      apply({ ...create(2, "f"), birth: { mode: 0o106755, uid: 12, gid: 34 } });
      expect(statSync(at("f"))).toMatchObject({ mode: 0o106755, uid: 12, gid: 34 });
      apply({ kind: "setattr", id: 2, uid: 56 });
      expect(statSync(at("f"))).toMatchObject({ uid: 56, gid: 34 });
    },
  );

  test("writes, truncates and allocates by id, not by name", () => {
    apply(create(2, "f"), write(2, "hello"), rename("f", "g"));
    apply(write(2, "!", 5), { kind: "truncate", id: 2, sizeBytes: 4 });
    expect(readFileSync(at("g"), "utf8")).toBe("hell");
    apply({ kind: "fallocate", id: 2, mode: 0, offsetBytes: 0, lengthBytes: 100 });
    expect(statSync(at("g")).size).toBe(100);
  });

  test("a file that has lost its name is still itself", () => {
    apply(create(2, "f"), { kind: "unlink", parent: 1, name: name("f") }, create(3, "f"));
    apply(write(2, "the old one"), write(3, "the new one"));
    expect(readFileSync(at("f"), "utf8")).toBe("the new one");
    apply({ kind: "orphan", id: 4, birth: birth(0o100600) }, write(4, "nowhere"));
    expect(readFileSync(at("f"), "utf8")).toBe("the new one");
    apply({ kind: "forget", id: 2 });
    expect(applier.apply(write(2, "x"))).toBe(-ERRNO.ESTALE);
  });

  test("links, symlinks, fifos and exchanged names come out as they were", () => {
    apply(
      create(2, "f"),
      { kind: "link", id: 2, parent: 1, name: name("hard") },
      {
        kind: "symlink",
        parent: 1,
        name: name("soft"),
        id: 3,
        birth: birth(0o120777),
        target: name("/no/where"),
      },
      { kind: "link", id: 3, parent: 1, name: name("soft2") },
      { ...create(4, "pipe"), birth: birth(0o010640) },
      { kind: "mkdir", parent: 1, name: name("d"), id: 5, birth: birth(0o040755) },
      { kind: "rename", parent: 1, name: name("d"), newParent: 1, newName: name("f"), flags: 2 },
    );
    expect(statSync(at("d")).ino).toBe(statSync(at("hard")).ino);
    expect(readlinkSync(at("soft2"))).toBe("/no/where");
    expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
    expect(statSync(at("f")).isDirectory()).toBe(true);
    apply({ kind: "rmdir", parent: 1, name: name("f") });
    expect(existsSync(at("f"))).toBe(false);
  });

  test("times are exact to the nanosecond, of symlinks too, and before 1970", () => {
    apply(create(2, "f"), {
      kind: "symlink",
      parent: 1,
      name: name("s"),
      id: 3,
      birth: birth(0o120777),
      target: name("x"),
    });
    const mtime = { seconds: -5, nanoseconds: 123_456_789 };
    apply({ kind: "setattr", id: 2, mtime }, { kind: "setattr", id: 3, mtime });
    const expected = -5n * 1_000_000_000n + 123_456_789n;
    expect(lstatSync(at("f"), { bigint: true }).mtimeNs).toBe(expected);
    expect(lstatSync(at("s"), { bigint: true }).mtimeNs).toBe(expected);
  });

  test("extended attributes are set, replaced and removed", () => {
    const attribute = { id: 2, name: name("user.mirror") };
    apply(create(2, "f"), { kind: "setxattr", ...attribute, value: name("1"), flags: 1 });
    expect(applier.apply({ kind: "setxattr", ...attribute, value: name("2"), flags: 1 })).toBe(
      -ERRNO.EEXIST,
    );
    apply({ kind: "setxattr", ...attribute, value: Buffer.alloc(0), flags: 2 });
    apply({ kind: "removexattr", ...attribute });
    expect(applier.apply({ kind: "removexattr", ...attribute })).toBe(-ERRNO.ENODATA);
  });

  test("names may be any bytes, 255 of them", () => {
    const odd = Buffer.alloc(255, 0xff);
    apply({ ...create(2, "x"), name: odd });
    expect(statSync(Buffer.concat([name(`${at("")}/`), odd])).isFile()).toBe(true);
    apply({ kind: "unlink", parent: 1, name: odd });
  });

  test("a bind finds the file of now, and never takes one id for two files", () => {
    writeFileSync(at("f"), "here before");
    linkSync(at("f"), at("again"));
    writeFileSync(at("other"), "");
    apply({ kind: "bind", id: 2, parent: 1, name: name("f") }, write(2, "HERE"));
    expect(readFileSync(at("again"), "utf8")).toBe("HERE before");
    apply({ kind: "bind", id: 2, parent: 1, name: name("again") });
    expect(applier.apply({ kind: "bind", id: 2, parent: 1, name: name("other") })).toBe(
      -ERRNO.ESTALE,
    );
    expect(applier.apply(create(2, "new"))).toBe(-ERRNO.EEXIST);
  });

  test("nothing leads out of the tree: not a symlink in a name's place, not an unknown id", () => {
    const outside = join(folder, "outside");
    writeFileSync(outside, "safe");
    symlinkSync(outside, at("trap"));
    apply({ kind: "bind", id: 2, parent: 1, name: name("trap") });
    expect(applier.apply(write(2, "PWNED"))).toBe(-ERRNO.EINVAL);
    expect(applier.apply({ kind: "truncate", id: 2, sizeBytes: 0 })).toBe(-ERRNO.EINVAL);
    expect(applier.apply(create(3, "trap"))).toBe(-ERRNO.EEXIST);
    expect(applier.apply({ kind: "unlink", parent: 2, name: name("x") })).toBe(-ERRNO.ENOTDIR);
    expect(applier.apply({ kind: "unlink", parent: 99, name: name("x") })).toBe(-ERRNO.ESTALE);
    expect(readFileSync(outside, "utf8")).toBe("safe");
  });

  test("what cannot be done as it was is an error, not a guess", () => {
    expect(applier.apply({ kind: "unlink", parent: 1, name: name("gone") })).toBe(-ERRNO.ENOENT);
    writeFileSync(at("f"), "");
    expect(applier.apply(create(2, "f"))).toBe(-ERRNO.EEXIST);
  });

  test("keeps a bounded number of files open, and reaches every one of them all the same", () => {
    const count = 1100;
    for (let id = 2; id < count; id += 1) apply(create(id, `f${id}`));
    for (let id = 2; id < count; id += 1) apply(write(id, `${id}`));
    for (const id of [2, 500, count - 1]) {
      expect(readFileSync(at(`f${id}`), "utf8")).toBe(`${id}`);
    }
    expect(applier.files.openCount).toBeLessThanOrEqual(1025);
  });

  // Without root no file can be opened by its handle, and every one keeps its descriptor.
  describe.skipIf(!isRoot)("with more files than descriptors (needs root)", () => {
    const PATHS_MAX = 3;
    const count = 40;
    const crowd = (): void => {
      applier = new Applier([root], PATHS_MAX);
      for (let id = 2; id < count; id += 1) {
        apply({ kind: "mkdir", id, parent: 1, name: name(`d${id}`), birth: birth(0o040755) });
      }
    };

    test("reaches every one of them, below renamed directories too", () => {
      crowd();
      expect(applier.files.pathCount).toBeLessThanOrEqual(PATHS_MAX + 1);
      apply(rename("d2", "moved"));
      apply({ ...create(100, "f"), parent: 2 }, write(100, "deep"), { kind: "forget", id: 3 });
      expect(readFileSync(at("moved/f"), "utf8")).toBe("deep");
      apply({ kind: "setattr", id: 4, mode: 0o700 });
      expect(statSync(at("d4")).mode & 0o777).toBe(0o700);
      expect(applier.apply({ ...create(101, "f"), parent: 3 })).toBe(-ERRNO.ESTALE);
      expect(applier.files.pathCount).toBeLessThanOrEqual(PATHS_MAX + 1);
    });

    test("a file that loses its last name can be written on, however it is lost", () => {
      crowd();
      writeFileSync(at("a"), "");
      writeFileSync(at("b"), "");
      apply({ kind: "bind", id: 100, parent: 1, name: name("a") });
      apply({ kind: "bind", id: 101, parent: 1, name: name("b") });
      for (let id = 2; id < 20; id += 1) apply({ kind: "setattr", id, mode: 0o700 });
      apply({ kind: "unlink", parent: 1, name: name("a") });
      writeFileSync(at("c"), "");
      apply(rename("c", "b"));
      for (let id = 2; id < 20; id += 1) apply({ kind: "setattr", id, mode: 0o755 });
      apply(write(100, "ghost"), write(101, "ghost"));
      expect([existsSync(at("a")), readFileSync(at("b"), "utf8")]).toEqual([false, ""]);
    });
  });

  test("a held file stays open while a helper thread uses it, though it is forgotten", () => {
    apply(create(2, "f"));
    const fd = applier.files.hold(2);
    const letGo = applier.files.releaser(2);
    apply({ kind: "forget", id: 2 });
    unlinkSync(at("f"));
    expect(fstatSync(fd).nlink).toBe(0);
    letGo();
    expect(() => fstatSync(fd)).toThrow(/EBADF/);
  });
});
