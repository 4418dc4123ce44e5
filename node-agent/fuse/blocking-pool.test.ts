import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERRNO } from "../adapters/linux/errno.ts";
import { POLLIN, PollSet } from "../adapters/linux/poll.ts";
import { BlockingPool } from "./blocking-pool.ts";
import { JOBS_MAX, READS_MAX } from "./blocking-ring.ts";

const WAIT_MS_MAX = 10_000;

/** Lets the pool's threads do their work, as a data thread does: by poll. */
function finish(pool: BlockingPool): void {
  const set = new PollSet(1);
  set.set(0, pool.descriptor, POLLIN);
  while (pool.busyCount > 0) {
    expect(set.wait(WAIT_MS_MAX)).toBe(1);
    pool.handleReadable();
  }
}

describe("the pool", () => {
  const pool = new BlockingPool({ threads: 2 });
  let folder = "";
  let fd = -1;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "mf-pool-"));
    writeFileSync(path.join(folder, "a"), "0123456789");
    fd = openSync(path.join(folder, "a"), "r+");
  });
  afterAll(() => {
    pool.close();
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  });

  test("runs calls and tells their results", () => {
    const results: number[] = [];
    for (const kind of ["fsync", "fdatasync", "syncfs"] as const) {
      expect(pool.submit(kind, fd, (result) => results.push(result))).toBe(true);
    }
    pool.submit("fsync", -1, (result) => results.push(result));
    finish(pool);
    expect(results.sort((a, b) => b - a)).toEqual([0, 0, 0, -ERRNO.EBADF]);
  });

  test("reads, and gives each piece of memory back", () => {
    const read: string[] = [];
    for (let round = 0; round < READS_MAX * 3; round += 1) {
      const isTaken = pool.read({ fd, offsetBytes: round % 10, length: 4 }, (length, data) =>
        read.push(`${length}:${Buffer.from(data).toString()}`),
      );
      if (!isTaken) finish(pool);
    }
    finish(pool);
    expect(read).toContain("4:3456");
    expect(read).toContain("1:9");
  });

  test("refuses what does not fit instead of waiting, and goes on afterwards", () => {
    let taken = 0;
    while (pool.submit("fdatasync", fd, () => undefined)) {
      taken += 1;
      if (taken > 10 * JOBS_MAX) break;
    }
    // The threads have been at work meanwhile, but nobody has collected.
    expect(taken).toBe(2 * JOBS_MAX);
    finish(pool);
    expect(pool.submit("fdatasync", fd, () => undefined)).toBe(true);
    finish(pool);
  });
});
