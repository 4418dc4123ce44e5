import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { DirtySet } from "#model/replication/dirty-set.ts";
import * as file from "../adapters/linux/file.ts";
import { cString, withNul } from "../adapters/linux/library.ts";
import { ChannelClosed, type RecordChannel, type ResyncProgress } from "./resync.ts";
import { PASSES_MAX } from "./source.ts";
import { Pair } from "./testing/pair.ts";

// On a real file system: tmpfs has other holes, flags and directory orders.
const pair = new Pair();
afterAll(() => pair.close());
beforeEach(() => pair.empty());

/** Without it nobody may give files away, mount, or make them immutable. */
const isRoot = process.getuid?.() === 0;
const inSource = (path: string): string => join(pair.source, path);
const inTarget = (path: string): string => join(pair.target, path);
const write = (path: string, size: number, fill = 1): void =>
  fs.writeFileSync(path, Buffer.alloc(size, fill));

async function expectEqual(): Promise<{ bytesSent: number; filesChanged: number }> {
  const { source, target } = await pair.run();
  if (!source.ok || !target.ok) throw new Error(JSON.stringify([source, target]));
  expect(pair.differences()).toEqual([]);
  expect(pair.isMarked).toBe(false);
  return { bytesSent: source.value.bytesSent, filesChanged: target.value.filesChanged };
}

describe("a resync carries", () => {
  test.runIf(isRoot)(
    "owners, modes, times to the nanosecond and extended attributes, of the root too (needs root)",
    async () => {
      write(inSource("a"), 100);
      fs.chownSync(inSource("a"), 12, 34);
      fs.chmodSync(inSource("a"), 0o6751);
      fs.mkdirSync(inSource("read-only"));
      write(inSource("read-only/b"), 10);
      fs.chmodSync(inSource("read-only"), 0o555);
      fs.symlinkSync("nowhere", inSource("link"));
      fs.lchownSync(inSource("link"), 5, 6);
      for (const path of [inSource("a"), pair.source]) {
        const value = Buffer.from("some value");
        file.setxattr(cString(path), cString("user.x"), value, value.length, 0);
      }
      execFileSync("touch", ["-d", "1969-12-31 23:59:58.123456789 UTC", inSource("a")]);
      execFileSync("touch", ["-h", "-d", "2001-02-03 04:05:06.000000007 UTC", inSource("link")]);
      fs.chmodSync(pair.source, 0o1770);
      fs.chownSync(pair.source, 7, 8);
      await expectEqual();
      expect(independentView(pair.target)).toEqual(independentView(pair.source));
    },
  );

  test("ACLs, whose mask is part of the mode", async () => {
    write(inSource("a"), 10);
    // struct posix_acl_xattr (linux/posix_acl_xattr.h): user::rw- user:7:rwx group::r-- mask::rwx other::---
    const entries = [
      [0x01, 6, 0xffffffff],
      [0x02, 7, 7],
      [0x04, 4, 0xffffffff],
      [0x10, 7, 0xffffffff],
      [0x20, 0, 0xffffffff],
    ];
    const acl = Buffer.alloc(4 + entries.length * 8);
    acl.writeUInt32LE(2, 0);
    entries.forEach(([tag = 0, permissions = 0, id = 0], at) => {
      acl.writeUInt16LE(tag, 4 + at * 8);
      acl.writeUInt16LE(permissions, 6 + at * 8);
      acl.writeUInt32LE(id, 8 + at * 8);
    });
    const name = cString("system.posix_acl_access");
    expect(file.setxattr(cString(inSource("a")), name, acl, acl.length, 0)).toBe(0);
    await expectEqual();
    expect(fs.statSync(inTarget("a")).mode & 0o777).toBe(0o670);
  });

  test("hard links, and parts what is linked only here", async () => {
    fs.mkdirSync(inSource("d"));
    write(inSource("a"), 300_000, 1);
    fs.linkSync(inSource("a"), inSource("d/b"));
    write(inSource("c"), 50, 2);
    write(inSource("e"), 50, 3);
    write(inTarget("c"), 50, 2);
    fs.linkSync(inTarget("c"), inTarget("e"));
    const outside = join(pair.folder, "outside");
    fs.linkSync(inTarget("c"), outside);
    await expectEqual();
    expect(fs.statSync(inTarget("a")).ino).toBe(fs.statSync(inTarget("d/b")).ino);
    expect(fs.statSync(inTarget("c")).ino).not.toBe(fs.statSync(inTarget("e")).ino);
    // What lies outside the tree is nobody's to change.
    expect(fs.readFileSync(outside)).toEqual(Buffer.alloc(50, 2));
    fs.rmSync(outside);
  });

  test("holes as holes, also where the target has data", async () => {
    const fd = fs.openSync(inSource("sparse"), "w");
    fs.writeSync(fd, Buffer.alloc(4096, 5), 0, 4096, 50_000_000);
    fs.ftruncateSync(fd, 100_000_000);
    fs.closeSync(fd);
    fs.writeFileSync(inSource("hole"), "");
    fs.truncateSync(inSource("hole"), 12_345);
    write(inTarget("sparse"), 3_000_000, 9);
    const { bytesSent } = await expectEqual();
    expect(fs.statSync(inTarget("sparse")).blocks).toBeLessThan(100);
    expect(fs.statSync(inTarget("hole")).blocks).toBe(0);
    expect(bytesSent).toBeLessThan(20_000);
  });

  test("fifos, sockets, devices, dangling and non-UTF-8 symlinks", async () => {
    const directory = fs.openSync(pair.source, "r");
    file.mknodat(directory, cString("fifo"), file.S_IFIFO | 0o640, 0);
    file.mknodat(directory, cString("socket"), file.S_IFSOCK | 0o600, 0);
    file.mknodat(directory, cString("null"), file.S_IFCHR | 0o666, 0x103);
    file.mknodat(directory, cString("disk"), file.S_IFBLK | 0o600, 0x801);
    file.symlinkat(withNul(Buffer.from([0xff, 0x2f, 0xfe])), directory, cString("link"));
    fs.closeSync(directory);
    // The same names, but something else.
    fs.mkdirSync(inTarget("fifo"));
    write(inTarget("fifo/in"), 10);
    write(inTarget("null"), 10);
    fs.symlinkSync("/etc", inTarget("link"));
    await expectEqual();
    expect(independentView(pair.target)).toEqual(independentView(pair.source));
  });

  test("names of 255 bytes and of bytes that are no text", async () => {
    for (const name of [
      Buffer.alloc(255, 0x6e),
      Buffer.from([1, 0xff, 10, 0x80]),
      Buffer.from("'\"\\ *"),
    ]) {
      fs.writeFileSync(Buffer.concat([Buffer.from(`${pair.source}/`), name]), name);
    }
    await expectEqual();
    expect(fs.readdirSync(pair.target, { encoding: "buffer" })).toHaveLength(3);
  });

  test("paths far longer than one system call takes", async () => {
    const name = "d".repeat(200);
    let directory = fs.openSync(pair.source, "r");
    for (let depth = 0; depth < 60; depth += 1) {
      file.mkdirat(directory, cString(name), 0o755);
      const next = file.openat(directory, cString(name), file.O_RDONLY, 0);
      fs.closeSync(directory);
      directory = next;
    }
    const made = file.openat(directory, cString("leaf"), file.O_CREAT | file.O_WRONLY, 0o644);
    fs.writeSync(made, "deep");
    fs.closeSync(made);
    fs.closeSync(directory);
    await expectEqual();
    // And away again.
    execFileSync("rm", ["-rf", inSource(name)]);
    await expectEqual();
    expect(fs.readdirSync(pair.target)).toEqual([]);
  });

  test("a file where the target has a directory, and a directory where it has a file", async () => {
    write(inSource("a"), 10);
    fs.mkdirSync(inSource("b"));
    write(inSource("b/c"), 200_000);
    fs.mkdirSync(inTarget("a/deep/er"), { recursive: true });
    write(inTarget("a/deep/er/x"), 5);
    write(inTarget("b"), 500_000);
    await expectEqual();
  });

  test.runIf(isRoot)(
    "nothing else: what the source does not have goes, even when it was immutable (needs root)",
    async () => {
      write(inSource("kept"), 10, 1);
      write(inTarget("kept"), 10, 2);
      write(inTarget("gone"), 10);
      fs.mkdirSync(inTarget("tree/of"), { recursive: true });
      write(inTarget("tree/of/files"), 10);
      const flagged = ["kept", "gone", "tree/of/files", "tree/of"].map(inTarget);
      const chattr = spawnSync("chattr", ["+i", ...flagged]);
      expect(chattr.status).toBe(0);
      await expectEqual();
      expect(fs.readdirSync(pair.target)).toEqual(["kept"]);
    },
  );

  test("leaves alone what is local to each node", async () => {
    fs.mkdirSync(inSource("tmp"));
    write(inSource("tmp/source"), 10);
    fs.mkdirSync(inSource("d"));
    fs.mkdirSync(inTarget("tmp"));
    write(inTarget("tmp/target"), 10);
    // Local content keeps the directory around it.
    fs.mkdirSync(inTarget("old/local"), { recursive: true });
    write(inTarget("old/local/x"), 1);
    write(inTarget("old/y"), 1);
    const exclusions = ["tmp", "old/local"];
    const { target } = await pair.run({ exclusions });
    expect(target).toMatchObject({ ok: true });
    expect(fs.readdirSync(inTarget("tmp"))).toEqual(["target"]);
    expect(fs.readdirSync(inTarget("old"))).toEqual(["local"]);
    expect(fs.readdirSync(inTarget("old/local"))).toEqual(["x"]);
  });
});

describe("a resync sends", () => {
  function makeFiles(count: number): void {
    for (let at = 0; at < count; at += 1) write(inSource(`f${at}`), 2000 + at, at % 256);
  }

  test("little more than metadata when both are equal", async () => {
    makeFiles(300);
    write(inSource("big"), 20_000_000, 3);
    await expectEqual();
    const { bytesSent, filesChanged } = await expectEqual();
    expect(bytesSent).toBeLessThan(301 * 150 + 160 * 60);
    expect(filesChanged).toBe(0);
  });

  test("the block in which a byte differs, though size and mtime are equal", async () => {
    write(inSource("big"), 20_000_000, 3);
    write(inSource("small"), 1000, 3);
    await expectEqual();
    for (const [path, offset] of [
      ["big", 12_345_678],
      ["small", 999],
    ] as const) {
      const { mtime } = fs.statSync(inTarget(path));
      const fd = fs.openSync(inTarget(path), "r+");
      fs.writeSync(fd, Buffer.from([4]), 0, 1, offset);
      fs.closeSync(fd);
      fs.utimesSync(inTarget(path), mtime, mtime);
      fs.utimesSync(inSource(path), mtime, mtime);
    }
    const [first] = pair.differences();
    expect(first).toBe("content /big at 12345678, 1 bytes");
    const { bytesSent } = await expectEqual();
    expect(bytesSent).toBeLessThan(150_000);
  });

  test("after a cut only what is still missing, and says meanwhile that the copy is half-written", async () => {
    makeFiles(200);
    write(inSource("big"), 30_000_000, 3);
    let sent = 0;
    const cut = (channel: RecordChannel): RecordChannel => ({
      send: (record) => {
        sent += record.length;
        if (sent > 25_000_000) {
          channel.close();
          throw new ChannelClosed();
        }
        channel.send(record);
      },
      receive: (timeoutMs) => channel.receive(timeoutMs),
      close: () => channel.close(),
    });
    const { source, target } = await pair.run({ channel: cut });
    expect(source).toEqual({ ok: false, error: { kind: "channelClosed" } });
    expect(target).toMatchObject({ ok: false, error: { kind: "channelClosed" } });
    expect(pair.isMarked).toBe(true);
    const { bytesSent } = await expectEqual();
    // Of what was under way when it was cut (a question comes every 16 MiB) nothing is known.
    expect(bytesSent).toBeLessThan(15_000_000);
  });

  test("no more than the bandwidth allows", async () => {
    write(inSource("big"), 1_000_000, 3);
    const sinceMs = performance.now();
    const { source } = await pair.run({ bandwidthBytesPerSecond: 2_000_000 });
    expect(source).toMatchObject({ ok: true });
    expect(performance.now() - sinceMs).toBeGreaterThan(400);
  });

  test("progress: totals, what has been done, no guess of the end in the first seconds", async () => {
    write(inSource("big"), 5_000_000, 3);
    makeFiles(10);
    const reports: ResyncProgress[] = [];
    await pair.run({ progress: (progress) => reports.push(progress) });
    expect(new Set(reports.map((report) => report.phase))).toEqual(
      new Set(["counting", "comparing", "finalPass", "syncing", "finished"]),
    );
    expect(reports.at(-1)).toMatchObject({ filesTotal: 11, filesChecked: 11 });
    expect(reports.every((report) => report.secondsLeft === null)).toBe(true);
  });
});

describe("a resync ends", () => {
  test("when it is cancelled, with the core running", async () => {
    write(inSource("a"), 10);
    let [asked, slowed] = [0, -1];
    const { source } = await pair.run({
      isCancelled: () => {
        asked += 1;
        return asked > 3;
      },
      core: { slow: (milliseconds) => (slowed = milliseconds) },
    });
    expect(source).toEqual({ ok: false, error: { kind: "cancelled" } });
    expect(slowed).toBe(-1);
  });

  test("when writers are always faster: they are slowed first, then let go", async () => {
    const dirty = new DirtySet();
    const slowed: number[] = [];
    const { source } = await pair.run({
      core: {
        takeDirty: () => {
          // Too much for the last pass, if nearly nothing to read.
          fs.writeFileSync(inSource("a"), "");
          fs.truncateSync(inSource("a"), 40_000_000 + slowed.length);
          dirty.changedFile(0, Buffer.from("a"), { inode: fs.statSync(inSource("a")).ino });
          return dirty.take();
        },
        slow: (milliseconds) => slowed.push(milliseconds),
      },
    });
    expect(source).toEqual({ ok: false, error: { kind: "notConverging", passes: PASSES_MAX } });
    expect(slowed[0]).toBe(1);
    expect(Math.max(...slowed)).toBe(64);
    expect(slowed.at(-1)).toBe(0);
  });

  test("when the core can neither pause nor attach", async () => {
    const resumed: string[] = [];
    const core = { resume: () => resumed.push("resumed") };
    const first = await pair.run({ core: { ...core, pause: () => false } });
    expect(first.source).toMatchObject({ ok: false, error: { kind: "refused" } });
    expect(resumed).toEqual([]);
    const second = await pair.run({ core: { ...core, attach: () => false } });
    expect(second.source).toMatchObject({ ok: false, error: { kind: "refused" } });
    expect(second.target).toMatchObject({ ok: false, error: { kind: "channelClosed" } });
  });

  test.runIf(isRoot)(
    "at the target's first failure, and both say which file (needs root)",
    async () => {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", pair.target]);
      try {
        write(inSource("big"), 3_000_000);
        const { source, target } = await pair.run();
        const fault = { kind: "targetFault", errno: 28, operation: "write" };
        expect(source).toMatchObject({ ok: false, error: fault });
        expect(target).toMatchObject({ ok: false, error: fault });
        if (source.ok || source.error.kind !== "targetFault") return;
        expect(Buffer.from(source.error.place.path).toString()).toBe("big");
        expect(pair.isMarked).toBe(true);
      } finally {
        execFileSync("umount", [pair.target]);
      }
    },
  );

  test("when the other side speaks nonsense, with nothing applied", async () => {
    write(inSource("a"), 10);
    const garble = (channel: RecordChannel): RecordChannel => ({
      send: (record) => {
        const garbled = Uint8Array.from(record);
        garbled[0] = 200;
        channel.send(garbled);
      },
      receive: (timeoutMs) => channel.receive(timeoutMs),
      close: () => channel.close(),
    });
    const { target } = await pair.run({ channel: garble });
    expect(target).toMatchObject({ ok: false, error: { kind: "malformed" } });
    expect(fs.readdirSync(pair.target)).toEqual([]);
    expect(pair.isMarked).toBe(false);
  });
});

describe("the first resync ever of a directory that was not empty", () => {
  const kept = (path: string): string => join(pair.aside, "1", path);
  const list = (): string[] =>
    fs.readFileSync(join(pair.aside, "LIST"), "utf8").trim().split("\n").sort();

  function makeTrees(): void {
    for (const [path, fill] of [
      ["same", 1],
      ["small", 2],
      ["big", 2],
    ] as const) {
      write(inSource(path), path === "big" ? 400_000 : 500, 1);
      write(inTarget(path), path === "big" ? 400_000 : 500, fill);
    }
    fs.mkdirSync(inTarget("old/tree"), { recursive: true });
    write(inTarget("old/tree/file"), 300, 7);
    fs.symlinkSync("x", inTarget("old/link"));
    fs.mkdirSync(inTarget("type"));
    write(inSource("type"), 5);
    execFileSync("touch", ["-d", "2001-02-03 04:05:06.000000007 UTC", inTarget("old/tree")]);
  }

  test("keeps aside what differs, lists it, and merges nothing", async () => {
    makeTrees();
    const before = independentView(inTarget("old"));
    const { target } = await pair.run({ setAside: true });
    expect(target).toMatchObject({ ok: true, value: { entriesSetAside: 4 } });
    expect(pair.differences()).toEqual([]);
    expect(independentView(kept("old"))).toEqual(before);
    expect(fs.readFileSync(kept("small"))).toEqual(Buffer.alloc(500, 2));
    expect(fs.readFileSync(kept("big"))).toEqual(Buffer.alloc(400_000, 2));
    expect(fs.existsSync(kept("same"))).toBe(false);
    expect(list()).toEqual(["copied 1 big", "copied 1 small", "moved 1 old", "moved 1 type"]);
  });

  test.runIf(isRoot)("also across file systems (needs root)", async () => {
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", pair.target]);
    try {
      makeTrees();
      const before = independentView(inTarget("old"));
      const { target } = await pair.run({ setAside: true });
      expect(target).toMatchObject({ ok: true });
      expect(pair.differences()).toEqual([]);
      expect(independentView(kept("old"))).toEqual(before);
    } finally {
      execFileSync("umount", [pair.target]);
    }
  });
});

/** What find(1) and sha256sum(1), which share no code with us, see below a directory. */
function independentView(path: string): string {
  const format = "%P|%y|%m|%U:%G|%T@|%l|%n\\n";
  const found = execFileSync("find", [".", "-printf", format], { cwd: path }).toString("latin1");
  const sums = execFileSync(
    "sh",
    ["-c", "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum"],
    { cwd: path },
  );
  return `${found.split("\n").sort().join("\n")}\n${sums.toString("latin1")}`;
}
