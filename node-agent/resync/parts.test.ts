import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Bandwidth } from "./bandwidth.ts";
import { Links } from "./links.ts";
import { Progress } from "./progress.ts";
import type { ResyncProgress } from "./resync.ts";
import { depthOf, isWithin, joinPath, showPath, splitPath, Tree } from "./tree.ts";

const bytes = (text: string): Buffer => Buffer.from(text);

describe("bandwidth", () => {
  test("lets a burst pass and holds the average", () => {
    let nowMs = 0;
    const bandwidth = new Bandwidth(1_000_000, { nowMs: () => nowMs, sleepMs: () => {} });
    for (let sent = 0; sent < 100; sent += 1) nowMs += bandwidth.spend(100_000);
    expect(nowMs).toBeGreaterThanOrEqual(9_700);
    expect(nowMs).toBeLessThanOrEqual(10_100);
    // After a pause no more than a quarter of a second's worth is free.
    nowMs += 60_000;
    expect(bandwidth.spend(250_000)).toBe(0);
    expect(bandwidth.spend(1_000)).toBeGreaterThan(0);
  });

  test("without a limit never waits", () => {
    const bandwidth = new Bandwidth(null, { nowMs: () => 0, sleepMs: () => {} });
    expect(bandwidth.spend(1e12)).toBe(0);
  });
});

describe("progress", () => {
  test("tells the time left after five seconds, and only while the total is known", () => {
    let nowMs = 0;
    const reports: ResyncProgress[] = [];
    const progress = new Progress(
      () => nowMs,
      (report) => reports.push(report),
    );
    progress.bytesTotal = 100_000_000;
    progress.enter("comparing");
    for (; nowMs < 8_000; nowMs += 250) {
      progress.bytesChecked += 2_500_000;
      progress.tick();
    }
    expect(reports.filter((report) => report.secondsLeft !== null).length).toBeGreaterThan(5);
    expect(reports[10]?.secondsLeft).toBeNull();
    expect(reports.at(-1)?.bytesPerSecond).toBeCloseTo(10_000_000, -6);
    expect(reports.at(-1)?.secondsLeft).toBe(2);
    progress.enter("catchingUp");
    expect(reports.at(-1)?.secondsLeft).toBeNull();
  });

  test("reports at most four times a second", () => {
    let nowMs = 0;
    let reports = 0;
    const progress = new Progress(
      () => nowMs,
      () => {
        reports += 1;
      },
    );
    for (; nowMs < 10_000; nowMs += 1) progress.tick();
    expect(reports).toBe(40);
  });
});

describe("links", () => {
  test("the first name of a pass leads, others are linked to it", () => {
    const links = new Links();
    const [a, b] = [bytes("a"), bytes("b")];
    expect(links.visit(0, 7, 2, a).leader).toBe(a);
    expect(links.visit(0, 7, 2, b).leader).toBe(a);
    expect(links.unfound(true)).toEqual([]);
    links.beginPass();
    expect(links.visit(0, 7, 2, b).leader).toBe(b);
  });

  test("a name that has gone makes its group suspect", () => {
    const links = new Links();
    const group = links.visit(0, 7, 2, bytes("a"));
    links.visit(0, 7, 2, bytes("b"));
    links.visit(0, 8, 2, bytes("b"));
    expect(links.takeSuspects()).toEqual([group]);
    expect([...group.names.keys()]).toEqual(["a"]);
  });

  test("an unknown name is searched for once", () => {
    const links = new Links();
    links.visit(0, 7, 3, bytes("a"));
    expect(links.unfound(false)).toHaveLength(1);
    expect(links.unfound(true)).toEqual([]);
    expect(links.takeSuspects()).toHaveLength(1);
    expect(links.unfound(false)).toEqual([]);
  });

  test("a name that went before a whole pass came by is missed, though the count has fallen", () => {
    const links = new Links();
    const group = links.visit(0, 7, 3, bytes("a"));
    // Through "b" it was written to, and "b" was removed.
    links.visit(0, 7, 2, bytes("c"));
    expect(links.unfound(true)).toEqual([]);
    expect(links.takeSuspects()).toEqual([group]);
  });

  test("a name of an earlier pass is no proof that this one has seen all", () => {
    const links = new Links();
    const group = links.visit(0, 7, 2, bytes("a"));
    links.visit(0, 7, 2, bytes("gone since"));
    expect(links.unfound(true)).toEqual([]);
    links.beginPass();
    links.visit(0, 7, 2, bytes("a"));
    expect(links.unfound(true)).toEqual([]);
    expect(links.takeSuspects()).toEqual([group]);
  });

  test("one name out of sight does not excuse another one", () => {
    const links = new Links();
    links.visit(0, 7, 2, bytes("a"));
    expect(links.unfound(true)).toEqual([]);
    links.beginPass();
    links.visit(0, 7, 3, bytes("a"));
    links.visit(0, 7, 2, bytes("a"));
    expect(links.unfound(false)).toHaveLength(1);
  });

  test("a known name that went in this pass is missed by nobody", () => {
    const links = new Links();
    for (const name of ["a", "b", "c"]) links.visit(0, 7, 3, bytes(name));
    expect(links.unfound(true)).toEqual([]);
    links.beginPass();
    links.visit(0, 7, 3, bytes("a"));
    links.leave(0, bytes("c"));
    expect(links.unfound(false)).toEqual([]);
  });
});

describe("paths", () => {
  test("join, split, and tell what is within what", () => {
    expect(joinPath(bytes(""), bytes("a"))).toEqual(Uint8Array.from(bytes("a")));
    expect(joinPath(bytes("a"), bytes("b"))).toEqual(Uint8Array.from(bytes("a/b")));
    expect(splitPath(bytes("a/b/c"))).toEqual({ directory: bytes("a/b"), name: bytes("c") });
    expect(splitPath(bytes("a"))).toEqual({ directory: bytes(""), name: bytes("a") });
    expect(["", "a", "a/b"].map((path) => depthOf(bytes(path)))).toEqual([0, 1, 2]);
    const within: [string, string, boolean][] = [
      ["a/b", "a", true],
      ["a", "a", true],
      ["ab", "a", false],
      ["a", "a/b", false],
      ["a", "", true],
    ];
    for (const [path, ancestor, expected] of within) {
      expect(isWithin(bytes(path), bytes(ancestor))).toBe(expected);
    }
  });

  test("are shown so that nothing is hidden", () => {
    expect(showPath(bytes("a ö"))).toBe("a ö");
    expect(showPath(Buffer.from([0x61, 0xff, 10, 0x5c]))).toBe("a\\xff\\x0a\\x5c");
  });

  test("never lead through a symlink or out of the tree", () => {
    const folder = fs.mkdtempSync(join(tmpdir(), "mirrorfarm-tree-"));
    const rootFd = fs.openSync(folder, "r");
    onTestFinished(() => {
      fs.closeSync(rootFd);
      fs.rmSync(folder, { recursive: true });
    });
    fs.symlinkSync("/etc", join(folder, "link"));
    const tree = new Tree(0, { rootFd, exclusions: [] });
    expect(tree.with(bytes("link/passwd"), fs.constants.O_RDONLY, () => true)).toBeNull();
    expect(tree.open(bytes("../x"), fs.constants.O_RDONLY)).toBe(-18);
    expect(tree.with(bytes("missing"), fs.constants.O_RDONLY, () => true)).toBeNull();
  });
});

describe("the comparison of two directories, as a command", () => {
  test("lists differences with their place and says by its exit code whether there are any", () => {
    const folder = fs.mkdtempSync(join(tmpdir(), "mirrorfarm-digest-"));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    for (const path of [a, b]) {
      fs.mkdirSync(join(path, "d"), { recursive: true });
      fs.writeFileSync(join(path, "d/x"), Buffer.alloc(3_000_000, 1));
      for (const it of ["d/x", "d", "."]) fs.utimesSync(join(path, it), 1, 1);
    }
    const command = new URL("./tree-digest-cli.ts", import.meta.url).pathname;
    const run = (...paths: string[]) =>
      spawnSync(process.execPath, [command, ...paths], { encoding: "utf8" });
    expect(run(a, b)).toMatchObject({ status: 0, stdout: "identical\n" });
    const fd = fs.openSync(join(b, "d/x"), "r+");
    fs.writeSync(fd, Buffer.alloc(10, 2), 0, 10, 2_000_000);
    fs.closeSync(fd);
    fs.utimesSync(join(b, "d/x"), 1, 1);
    expect(run(a, b)).toMatchObject({
      status: 1,
      stdout: "content /d/x at 2000000, 10 bytes\n1 differences\n",
    });
    const digests = [a, b].map((path) => JSON.parse(run(path).stdout));
    expect(digests[0]).toMatchObject({ entries: 3, contentBytes: 3_000_000 });
    expect(digests[0].digest).not.toBe(digests[1].digest);
    expect(run(join(folder, "missing")).status).toBe(2);
  });
});
