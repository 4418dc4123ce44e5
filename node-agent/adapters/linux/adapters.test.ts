import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import koffi from "koffi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CachedReader } from "./cached-reader.ts";
import { bootMs } from "./clock.ts";
import { receiveDescriptor, socketPair } from "./descriptor-passing.ts";
import { listDirectory } from "./directory.ts";
import { ERRNO, errnoName } from "./errno.ts";
import * as file from "./file.ts";
import { handleOf, openHandle } from "./file-handle.ts";
import { cString, withNul } from "./library.ts";
import { parseMountInfo } from "./mount.ts";
import { openBeneath } from "./open-beneath.ts";
import { eventfd, POLLIN, PollSet, pipe } from "./poll.ts";
import { Stat, timespecs } from "./stat.ts";

let folder = "";
let root = -1;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "mf-adapters-"));
  root = file.openat(file.AT_FDCWD, cString(folder), file.O_RDONLY | file.O_DIRECTORY, 0);
});
afterAll(() => {
  file.close(root);
  rmSync(folder, { recursive: true, force: true });
});

const create = (name: string) =>
  file.openat(root, cString(name), file.O_RDWR | file.O_CREAT | file.O_CLOEXEC, 0o640);

describe("files by descriptor", () => {
  test("a call that fails answers the negative error number and throws nothing", () => {
    expect(file.openat(root, cString("nothing"), file.O_RDONLY, 0)).toBe(-ERRNO.ENOENT);
    expect(errnoName(-ERRNO.ENOENT)).toBe("ENOENT");
    expect(errnoName(9999)).toBe("errno 9999");
  });

  test("the error is the call's own, whatever else of this thread fails right after it", () => {
    // In place of V8 itself, which may fail a futex there: a converter that changes errno.
    const { Number: convert } = globalThis;
    const spoil = (value: unknown) => {
      koffi.errno(ERRNO.EAGAIN);
      return convert(value);
    };
    globalThis.Number = Object.assign(spoil, convert);
    const result = file.openat(root, cString("nothing"), file.O_RDONLY, 0);
    globalThis.Number = convert;
    expect(result).toBe(-ERRNO.ENOENT);
  });

  test("what is written beyond 4 GiB is read back from there", () => {
    const fd = create("sparse");
    const offset = 5 * 2 ** 32 + 17;
    expect(file.pwrite(fd, Buffer.from("far"), 3, offset)).toBe(3);
    const back = Buffer.alloc(5);
    expect(file.pread(fd, back, 5, offset)).toBe(3);
    expect(back.toString("latin1")).toBe("far\0\0");
    const stat = new Stat();
    expect(stat.of(fd)).toBe(0);
    expect(stat.sizeBytes).toBe(offset + 3);
    file.close(fd);
  });

  test("stat tells what node:fs tells", () => {
    const fd = create("stat");
    const time = { seconds: -12, nanoseconds: 345_678_901 };
    file.utimensat(root, cString("stat"), timespecs(null, time), 0);
    const stat = new Stat();
    stat.at(root, cString("stat"));
    const known = statSync(path.join(folder, "stat"), { bigint: true });
    expect(BigInt(stat.inodeKey)).toBe(known.ino);
    expect(BigInt(stat.device)).toBe(known.dev);
    expect(BigInt(stat.mode)).toBe(known.mode);
    expect(stat.mtime).toEqual(time);
    expect([stat.uid, stat.gid, stat.linkCount, stat.sizeBytes]).toEqual([
      Number(known.uid),
      Number(known.gid),
      1,
      0,
    ]);
    file.close(fd);
  });

  test("a descriptor's path leads to its file, however many digits the number has", () => {
    for (const fd of [0, 7, 10, 99, 100, 1_048_575]) {
      const bytes = file.descriptorPath(fd);
      const text = Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
      expect(text).toBe(`/proc/self/fd/${fd}`);
    }
  });

  test("names are bytes, whatever they mean", () => {
    const name = new Uint8Array([0x61, 0xff, 0x0a, 0x80]);
    const fd = file.openat(root, withNul(name), file.O_RDWR | file.O_CREAT, 0o600);
    file.close(fd);
    const entries = listDirectory(root);
    if (typeof entries === "number") throw new Error(errnoName(entries));
    expect(entries.some((entry) => Buffer.compare(entry.name, name) === 0)).toBe(true);
    expect(entries.map((entry) => Buffer.from(entry.name).toString())).not.toContain("..");
  });

  test("a path beneath a directory cannot lead out of it", () => {
    mkdirSync(path.join(folder, "below"));
    writeFileSync(path.join(folder, "outside"), "");
    symlinkSync("/etc", path.join(folder, "below/out"));
    symlinkSync("../outside", path.join(folder, "below/up"));
    const below = openBeneath(root, cString("below"), file.O_RDONLY | file.O_DIRECTORY, 0);
    const open = (name: string) => openBeneath(below, cString(name), file.O_RDONLY, 0);
    expect(open("../outside")).toBe(-ERRNO.EXDEV);
    expect(open("/etc/passwd")).toBe(-ERRNO.EXDEV);
    expect(open("out/passwd")).toBe(-ERRNO.ELOOP);
    expect(open("up")).toBe(-ERRNO.ELOOP);
    file.close(below);
  });

  test("a file handle opens its file again, wherever that was moved", () => {
    const fd = create("moving");
    const handle = handleOf(fd);
    file.renameat2(root, cString("moving"), root, cString("moved"), 0);
    const opened = handle === null ? -1 : openHandle(root, handle, file.O_PATH);
    // Only with CAP_DAC_READ_SEARCH; elsewhere descriptors are kept instead.
    if (opened !== -ERRNO.EPERM) {
      const [a, b] = [new Stat(), new Stat()];
      expect([a.of(fd), b.of(opened)]).toEqual([0, 0]);
      expect(b.inodeKey).toBe(a.inodeKey);
      file.close(opened);
    }
    file.close(fd);
  });

  test("cached data is read without waiting, and the end of the file ends it", () => {
    const fd = create("cached");
    file.pwrite(fd, Buffer.from("0123456789"), 10, 0);
    const data = new Uint8Array(64);
    const reader = new CachedReader(data);
    expect(reader.read(fd, 4, 64)).toBe(6);
    expect(Buffer.from(data.subarray(0, 6)).toString()).toBe("456789");
    expect(reader.read(fd, 10, 64)).toBe(0);
    expect(reader.read(fd, 0, 3)).toBe(3);
    expect(reader.read(-1, 0, 3)).toBe(-ERRNO.EBADF);
    file.close(fd);
  });
});

describe("waiting", () => {
  test("poll tells which descriptor is ready, and skips empty places", () => {
    const wake = eventfd();
    const ends = pipe();
    const set = new PollSet(3);
    set.set(0, wake, POLLIN);
    set.set(2, ends.read, POLLIN);
    expect(set.wait(0)).toBe(0);
    file.write(ends.write, new Uint8Array(1), 1);
    expect(set.wait(1000)).toBe(1);
    expect([set.ready(0), set.ready(1), set.ready(2)]).toEqual([0, 0, POLLIN]);
    for (const fd of [wake, ends.read, ends.write]) file.close(fd);
  });

  test("the clock runs on and never backwards", () => {
    const readings = Array.from({ length: 1000 }, bootMs);
    expect([...readings].sort((a, b) => a - b)).toEqual(readings);
    expect(readings[0]).toBeGreaterThan(0);
  });
});

describe("mounts and passed descriptors", () => {
  test("mountinfo's escapes are undone and its bytes kept", () => {
    const text =
      "36 35 0:39 / /srv/a\\040b\\134c rw,relatime shared:1 - fuse.mirrorfarm mirrorfarm rw\n" +
      "25 1 254:1 / /caf\u00c3\u00a9 rw - ext4 /dev/vda rw\nnonsense\n";
    expect(parseMountInfo(text)).toEqual([
      { path: "/srv/a b\\c", type: "fuse.mirrorfarm", source: "mirrorfarm", device: "0:39" },
      { path: "/caf\u00c3\u00a9", type: "ext4", source: "/dev/vda", device: "254:1" },
    ]);
  });

  test("a message without a descriptor is a protocol error", () => {
    const { ends, error } = socketPair();
    expect(error).toBe(0);
    file.write(ends[1], new Uint8Array(1), 1);
    expect(receiveDescriptor(ends[0])).toBe(-ERRNO.EPROTO);
    for (const fd of ends) file.close(fd);
  });
});
