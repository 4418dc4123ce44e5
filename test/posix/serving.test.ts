/** How the server behaves towards its surroundings: sink, gate, role, a fresh peer, a resync. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ServeOptions } from "./serve-options.ts";
import { ServedDirectory, temporaryFolder, whyNotRun } from "./served-directory.ts";
import { treeFacts } from "./tree-facts.ts";

const notRun = whyNotRun();
const STEP_MS_MAX = 20_000;
const OLD_KERNEL = { minorMax: 31, flagsMask: 0x0fffffff, flags2Mask: 0 };

/** Runs a shell script in `directory`; its output. Fails rather than hang. */
const shell = (directory: string, script: string): string =>
  execFileSync("bash", ["-ec", script], { cwd: directory, timeout: STEP_MS_MAX }).toString();

/** Starts a shell script; `ended` settles with its exit code. */
function begin(directory: string, script: string) {
  const child = spawn("bash", ["-ec", script], { cwd: directory, timeout: STEP_MS_MAX });
  let output = "";
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ended, output: () => output };
}

describe.skipIf(notRun !== null)(`serving ${notRun ?? ""}`, () => {
  let folder: ReturnType<typeof temporaryFolder> = { path: "", remove: () => undefined };
  let served: ServedDirectory | null = null;
  let real = "";
  let copy = "";

  beforeEach(() => {
    folder = temporaryFolder();
    real = path.join(folder.path, "real");
    copy = path.join(folder.path, "copy");
    mkdirSync(real);
    mkdirSync(copy);
  });
  afterEach(() => {
    served?.kill();
    served = null;
    folder.remove();
  });

  async function serve(
    o: Partial<ServeOptions> & { hasCopy?: boolean } = {},
  ): Promise<ServedDirectory> {
    const { hasCopy = true, ...options } = o;
    const common = { path: real, record: true, ...options };
    served = await ServedDirectory.start(hasCopy ? { ...common, copyTo: copy } : common);
    return served;
  }

  /** Both copies at the end, unmounted. */
  async function compare(): Promise<void> {
    const report = await served?.tell("flushTimes");
    expect(report?.faults).toEqual([]);
    await served?.stop();
    expect(treeFacts(copy)).toEqual(treeFacts(real));
  }

  test("what was there before is hidden behind the mount and still there after it", async () => {
    writeFileSync(path.join(real, "a"), "before");
    writeFileSync(path.join(copy, "a"), "before");
    const mount = await serve();
    expect(shell(real, "cat a; echo after > a")).toBe("before");
    await mount.stop();
    expect(readFileSync(path.join(real, "a"), "utf8")).toBe("after\n");
    expect(readFileSync(path.join(copy, "a"), "utf8")).toBe("after\n");
  });

  test("a call returns only when the sink has acknowledged it", async () => {
    const mount = await serve();
    await mount.tell("withhold");
    const writer = begin(real, "mkdir d; echo made");
    await expect
      .poll(async () => (await mount.tell("report")).pending, { timeout: STEP_MS_MAX })
      .toBe(1);
    expect(writer.output()).toBe("");
    await mount.tell("release");
    expect(await writer.ended).toBe(0);
    expect(writer.output()).toBe("made\n");
  });

  test("no reply leaves while the gate is shut, and what waited leaves when it opens", async () => {
    writeFileSync(path.join(real, "a"), "1");
    const mount = await serve({ hasCopy: false });
    await mount.tell("withhold");
    const writer = begin(real, "echo 2 > b; cat a; echo done");
    await expect
      .poll(async () => (await mount.tell("report")).pending, { timeout: STEP_MS_MAX })
      .toBe(1);
    await mount.tell("shutGate");
    // Acknowledged by the peer, but this node may not answer any more.
    expect((await mount.tell("release")).pending).toBe(1);
    const reader = begin(real, "cat a");
    expect((await mount.tell("report")).pending).toBe(1);
    expect([writer.output(), reader.output()]).toEqual(["", ""]);
    await mount.tell("openGate");
    expect([await writer.ended, await reader.ended]).toEqual([0, 0]);
    expect([writer.output(), reader.output()]).toEqual(["1done\n", "1"]);
  });

  test("calls that wait can be failed for good", async () => {
    const mount = await serve();
    await mount.tell("withhold");
    const writer = begin(real, "mkdir d || echo failed");
    await expect
      .poll(async () => (await mount.tell("report")).pending, { timeout: STEP_MS_MAX })
      .toBe(1);
    expect((await mount.tell("failPending")).pending).toBe(0);
    await writer.ended;
    expect(writer.output()).toBe("failed\n");
    await mount.tell("release");
  });

  test("a secondary can be read by everybody and changed by nobody", async () => {
    writeFileSync(path.join(real, "a"), "1");
    await serve({ role: "secondary" });
    expect(shell(real, "cat a; ls")).toBe("1a\n");
    const denied = ["echo 2 > a", "touch b", "mkdir d", "rm a", "mv a c", "chmod 600 a", "ln a b"];
    for (const script of denied) {
      const result = spawnSync("bash", ["-c", script], { cwd: real, timeout: STEP_MS_MAX });
      expect(`${script}: ${result.stderr}`).toContain("Read-only file system");
    }
    expect(readFileSync(path.join(real, "a"), "utf8")).toBe("1");
  });

  test("a secondary sees at once what is changed underneath, and so does the primary it becomes", async () => {
    writeFileSync(path.join(real, "a"), "old");
    // A second way to the real directory, as the replication's applier has.
    shell(folder.path, "mkdir under; mount --bind real under");
    try {
      const mount = await serve({ role: "secondary", hasCopy: false });
      expect(shell(real, "cat a; ls")).toBe("olda\n");
      writeFileSync(path.join(folder.path, "under/a"), "newer");
      writeFileSync(path.join(folder.path, "under/b"), "2");
      expect(shell(real, "cat a b; ls")).toBe("newer2a\nb\n");
      writeFileSync(path.join(folder.path, "under/a"), "newest");
      await mount.tell("primary");
      expect(shell(real, "cat a; echo 3 > b; cat b")).toBe("newest3\n");
    } finally {
      shell(folder.path, "umount -l under");
    }
  });

  test("fsync is asked of the peer, after the times that changed", async () => {
    const mount = await serve();
    await mount.tell("report");
    shell(real, "dd if=/dev/zero of=a bs=4096 count=1 conv=fsync 2>/dev/null");
    const { operations } = await mount.tell("report");
    const written = operations.indexOf("write 0+4096");
    const synced = operations.indexOf("fsync");
    expect(operations.slice(written, synced)).toContain("setattr mtime");
  });

  test.each([
    ["O_DSYNC", "dsync"],
    ["O_SYNC", "sync"],
    ["O_DIRECT and O_DSYNC", "direct,dsync"],
    ["O_DIRECT and O_SYNC", "direct,sync"],
  ])("every write of an %s file is followed by a sync", async (_name, flags) => {
    const mount = await serve();
    shell(real, `dd if=/dev/zero of=a bs=4096 count=3 oflag=${flags} 2>/dev/null`);
    const { operations } = await mount.tell("report");
    const wanted = operations.filter((kind) => kind.startsWith("write") || kind === "fsync");
    expect(wanted).toEqual([
      "write 0+4096",
      "fsync",
      "write 4096+4096",
      "fsync",
      "write 8192+4096",
      "fsync",
    ]);
  });

  test("pages written through a shared mapping reach the peer", async () => {
    await serve();
    shell(
      real,
      `head -c 8192 /dev/zero > a; python3 -c '
import mmap
with open("a", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
    m[5000:5005] = b"hello"
    m.flush()
    m[10:13] = b"end"
'`,
    );
    await compare();
    expect(readFileSync(path.join(copy, "a")).subarray(5000, 5005).toString()).toBe("hello");
    expect(readFileSync(path.join(copy, "a")).subarray(10, 13).toString()).toBe("end");
  });

  test("a fresh secondary is told of every file anew before its next use", async () => {
    const mount = await serve();
    shell(real, "mkdir -p d/e; echo 1 > d/e/a; ln d/e/a d/b; echo 2 > c");
    const holder = begin(real, "exec 5>>d/e/a; exec 6>>c; echo open; read; echo x >&5; echo y >&6");
    await expect.poll(() => holder.output(), { timeout: STEP_MS_MAX }).toBe("open\n");
    renameSync(path.join(real, "d"), path.join(real, "moved"));
    await mount.tell("attach");
    unlinkSync(path.join(real, "moved/e/a"));
    const { operations } = await mount.tell("report");
    // The other name could not be guessed once this one is gone. (`c` may be named too, when its
    // modification time is told only now.)
    const names = operations.filter((kind) => /^(bind|unlink) (?!c$)/.test(kind));
    expect(names).toEqual(["bind moved", "bind e", "bind a", "unlink a"]);
    holder.child.stdin.write("\n");
    expect(await holder.ended).toBe(0);
    await compare();
    expect(readFileSync(path.join(copy, "moved/b"), "utf8")).toBe("1\nx\n");
  });

  test("a fresh secondary learns of an open file by the name that it has left", async () => {
    const mount = await serve();
    shell(real, "mkdir d; echo 1 > d/a; ln d/a b");
    const holder = begin(real, "exec 5>>d/a; echo open; read; echo x >&5");
    await expect.poll(() => holder.output(), { timeout: STEP_MS_MAX }).toBe("open\n");
    unlinkSync(path.join(real, "d/a"));
    await mount.tell("attach");
    holder.child.stdin.write("\n");
    expect(await holder.ended).toBe(0);
    const { operations } = await mount.tell("report");
    expect(operations.filter((kind) => /^bind b|^write 2/.test(kind))).toEqual([
      "bind b",
      "write 2+2",
    ]);
    await compare();
  });

  test("a file without a name is sent whole to a fresh secondary, and can be named later", async () => {
    const mount = await serve();
    const holder = begin(
      real,
      `python3 -c '
import os, sys
fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(fd, b"x" * 700000)
quiet = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(quiet, b"quiet")
os.setxattr(quiet, "user.kept", b"1")
os.utime(quiet, ns=(1000000001, 2000000002))
print("open", flush=True)
sys.stdin.readline()
os.pwrite(fd, b"middle", 5000)
os.link(f"/proc/self/fd/{fd}", "named", src_dir_fd=fd, follow_symlinks=True)
os.link(f"/proc/self/fd/{quiet}", "quiet", src_dir_fd=quiet, follow_symlinks=True)
'`,
    );
    await expect.poll(() => holder.output(), { timeout: STEP_MS_MAX }).toBe("open\n");
    await mount.tell("flushTimes");
    await mount.tell("attach");
    holder.child.stdin.write("\n");
    expect(await holder.ended).toBe(0);
    await compare();
    expect(statSync(path.join(copy, "named")).size).toBe(700_000);
  });

  test("writing to a file that lost its name hurts nobody", async () => {
    const mount = await serve();
    const holder = begin(real, "exec 5>a; rm a; echo open; read; echo more >&5; echo again > a");
    await expect.poll(() => holder.output(), { timeout: STEP_MS_MAX }).toBe("open\n");
    await mount.tell("attach");
    holder.child.stdin.write("\n");
    expect(await holder.ended).toBe(0);
    await compare();
  });

  test("places that are not replicated stay local", async () => {
    const mount = await serve({ exclusions: ["d/tmp", "log"] });
    shell(real, "mkdir d; mkdir d/tmp; echo 1 > d/tmp/a; echo 2 > log; echo 3 > d/b");
    const moved = spawnSync("python3", ["-c", "import os; os.rename('d/b', 'd/tmp/b')"], {
      cwd: real,
      timeout: STEP_MS_MAX,
    });
    expect(moved.stderr.toString()).toContain("Invalid cross-device link");
    expect(shell(real, "mv d/b d/tmp/b; mv d/tmp/a d/c; cat d/c; ls d")).toBe("1\nc\ntmp\n");
    expect((await mount.tell("flushTimes")).faults).toEqual([]);
    await mount.stop();
    expect(shell(copy, "find . | sort; cat d/c")).toBe(".\n./d\n./d/c\n1\n");
  });

  test("a running resync hears of every change by its path", async () => {
    const mount = await serve();
    shell(real, "mkdir d; echo 1 > d/a; echo 2 > b");
    await mount.tell("watch");
    await mount.tell("report");
    const mutations = async (script: string) => {
      shell(real, script);
      return (await mount.tell("report")).mutations;
    };
    expect(await mutations("printf xyz | dd of=d/a bs=3 seek=1 conv=notrunc 2>&1")).toEqual([
      "file d/a 3+3",
    ]);
    expect(await mutations("chmod 600 b")).toEqual(["file b 0+0"]);
    expect(await mutations("mkdir d/e")).toEqual(["directory d", "subtree d/e"]);
    expect(await mutations("mv d f")).toEqual(["directory ", "directory ", "subtree f"]);
    expect(await mutations("rm b")).toEqual(["directory "]);
    expect(await mutations("ln f/a g")).toEqual(["file f/a 0+Infinity", "directory ", "subtree g"]);
    expect(await mutations("truncate -s 1 g")).toEqual(["file f/a 0+Infinity"]);
    expect(await mutations("touch -d 2020-01-01 f")).toEqual(["directory f"]);
  });

  test("more files than descriptors", async () => {
    const mount = await serve({ descriptorsMax: 100, record: false });
    shell(
      real,
      `mkdir d; for n in $(seq 1 600); do echo $n > d/$n; done
       ln d/7 d/link; for n in $(seq 1 600); do echo more >> d/$n; done; mv d e; chmod 600 e/*
       rm e/9; cat e/8 e/link`,
    );
    const list = `ls -l /proc/${mount.processId}/fd | grep -c ${real}`;
    expect(Number(shell("/", list))).toBeLessThan(200);
    await compare();
  });

  test("a kernel that offers less is served as well", async () => {
    await serve({ kernelLimit: OLD_KERNEL });
    shell(
      real,
      `mkdir d; head -c 3000000 /dev/urandom > d/a; cp d/a d/b; cmp d/a d/b; ls -la d > /dev/null
       chmod 6755 d/b; echo x >> d/b; setfacl -m u:77:rw d/a 2>/dev/null || true; mv d e; rm e/a`,
    );
    await compare();
  });

  test("a mount that a killed server left behind is taken off at the next start", async () => {
    writeFileSync(path.join(real, "a"), "1");
    const killed = await serve({ hasCopy: false });
    shell(real, "cat a; stat .");
    process.kill(killed.processId, "SIGKILL");
    await expect
      .poll(() => spawnSync("ls", [real], { timeout: STEP_MS_MAX }).stderr.toString())
      .toContain("not connected");
    await serve({ hasCopy: false });
    expect(shell(real, "cat a")).toBe("1");
  });

  test("two servers of one directory, one inside another, and a mount below are refused by name", async () => {
    await serve({ hasCopy: false });
    await expect(ServedDirectory.start({ path: real })).rejects.toThrow(/alreadyServed/);
    mkdirSync(path.join(real, "inner"));
    const inner = ServedDirectory.start({ path: path.join(real, "inner") });
    await expect(inner).rejects.toThrow(/insideAnother.*real"/);
    served?.kill();
    const lower = await ServedDirectory.start({ path: path.join(real, "inner") });
    await expect(ServedDirectory.start({ path: real })).rejects.toThrow(/nestedMount.*inner/);
    lower.kill();
    mkdirSync(path.join(real, "below"));
    shell(real, "mount -t tmpfs none below");
    try {
      await expect(ServedDirectory.start({ path: real })).rejects.toThrow(/nestedMount.*below/);
    } finally {
      shell(real, "umount below");
    }
  });
});
