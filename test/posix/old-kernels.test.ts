/**
 * The cases (cases.ts) again, where the kernel is made to look like an older one: what it offers at
 * FUSE_INIT is cut to what Debian 11 and 12 and Ubuntu 22.04 have. `npm test` takes the oldest,
 * `npm run test:long -- posix` all of them.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelLimit } from "../../node-agent/fuse/ports.ts";
import { ServedDirectory, temporaryFolder, whyNotRun } from "./served-directory.ts";
import { treeFacts } from "./tree-facts.ts";

const notRun = whyNotRun();
const CASES_MS_MAX = 60_000;
const RUN = path.join(import.meta.dirname, "run-cases.ts");
const isLong = process.env["MIRRORFARM_LONG"] === "1";

/** include/uapi/linux/fuse.h of each: the minor version, and the flags that it knows. */
const KERNELS: readonly (readonly [name: string, limit: KernelLimit])[] = [
  // Up to SUBMOUNTS: no HANDLE_KILLPRIV_V2, no SETXATTR_EXT, no second word of flags.
  ["5.10", { minorMax: 32, flagsMask: 0x0fff_ffff, flags2Mask: 0 }],
  ["5.15", { minorMax: 34, flagsMask: 0x3fff_ffff, flags2Mask: 0 }],
  // The second word has SECURITY_CTX and HAS_INODE_DAX only: no shared mmap with O_DIRECT.
  ["6.1", { minorMax: 37, flagsMask: -1, flags2Mask: 0x3 }],
];

/** In a process of its own: one that uses the mount must be one that can be killed. */
function run(directory: string): Record<string, unknown> {
  const output = execFileSync(process.execPath, [RUN, directory], { timeout: CASES_MS_MAX });
  return JSON.parse(output.toString());
}

describe.skipIf(notRun !== null)(`with what an older kernel offers ${notRun ?? ""}`, () => {
  let folder: ReturnType<typeof temporaryFolder> | null = null;
  let expected: Record<string, unknown> = {};

  beforeAll(() => {
    folder = temporaryFolder();
    // The cases of a user without rights must get in, too.
    chmodSync(folder.path, 0o755);
    const plain = path.join(folder.path, "plain");
    mkdirSync(plain);
    expected = run(plain);
  }, CASES_MS_MAX);
  afterAll(() => folder?.remove());

  test.each(isLong ? KERNELS : KERNELS.slice(0, 1))(
    "%s: every call does what it does in a plain directory, and the copy is the same",
    async (name, kernelLimit) => {
      const served = path.join(folder?.path ?? "", `served-${name}`);
      const copy = path.join(folder?.path ?? "", `copy-${name}`);
      for (const each of [served, copy]) mkdirSync(each);
      const server = await ServedDirectory.start({ path: served, copyTo: copy, kernelLimit });
      try {
        expect(run(served)).toEqual(expected);
        expect((await server.tell("flushTimes")).faults).toEqual([]);
        await server.stop();
      } finally {
        server.kill();
      }
      expect(treeFacts(copy)).toEqual(treeFacts(served));
    },
    2 * CASES_MS_MAX,
  );
});
