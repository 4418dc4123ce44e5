/**
 * Every case again, where the kernel is made to look like an older one: what it offers at FUSE_INIT
 * is cut to what Debian 11, Ubuntu 22.04 and Debian 12 have. `npm test` takes the oldest,
 * `npm run test:long -- posix` all of them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelLimit } from "../../node-agent/fuse/ports.ts";
import { IS_LONG } from "../setup/length.ts";
import { Actors } from "./calls/actors.ts";
import { FAMILIES } from "./families.ts";
import { whyNotRun } from "./served-directory.ts";
import { runSuite } from "./suite.ts";

const notRun = whyNotRun();
const KERNEL_MS_MAX = 120_000;

type Kernel = {
  readonly name: string;
  readonly limit: KernelLimit;
  /** Cases that end otherwise there. */
  readonly differs: RegExp | null;
};

/** include/uapi/linux/fuse.h of each: the minor version, and the flags that it knows. */
const KERNELS: readonly Kernel[] = [
  {
    // Up to SUBMOUNTS: no HANDLE_KILLPRIV_V2, no SETXATTR_EXT, no second word of flags. That the
    // caller may keep suid and sgid is not told, so root loses them like everybody (negotiation.ts);
    // and that a new ACL takes setgid away is not told either, so it stays.
    name: "5.10",
    limit: { minorMax: 32, flagsMask: 0x0fff_ffff, flags2Mask: 0 },
    differs: /by root keeps suid|^an ACL set by a user who is not of the file's group/,
  },
  {
    name: "5.15",
    limit: { minorMax: 34, flagsMask: 0x3fff_ffff, flags2Mask: 0 },
    differs: null,
  },
  {
    // The second word has SECURITY_CTX and HAS_INODE_DAX only: no shared mmap with O_DIRECT.
    name: "6.1",
    limit: { minorMax: 37, flagsMask: -1, flags2Mask: 0x3 },
    differs: null,
  },
];

/** A quarter of them in `npm test`, from all families. */
const EVERY = IS_LONG ? 1 : 4;

const cases = FAMILIES.filter(({ places }) => places.includes("ordinary"))
  .flatMap((family) => family.cases)
  .filter((one, at) => !one.isLong && at % EVERY === 0);

describe.skipIf(notRun !== null)(`with what an older kernel offers ${notRun ?? ""}`, () => {
  let actors: Actors | null = null;

  beforeAll(async () => {
    actors = await Actors.start();
  });
  afterAll(() => actors?.kill());

  test.each(IS_LONG ? KERNELS : KERNELS.slice(0, 1))(
    "$name: every call does what it does in a bare directory, and the copy is the same",
    async ({ limit, differs }) => {
      if (actors === null) throw new Error("there is nobody to make the calls");
      const found = await runSuite(cases, { actors, place: "ordinary", kernelLimit: limit });
      const wrong = cases.flatMap(({ name }, at) => {
        const lines = found.ofCases[at] ?? [];
        return lines.length === 0 || differs?.test(name) === true ? [] : [{ name, lines }];
      });
      expect(wrong).toEqual([]);
      expect(found.ofPlace).toEqual([]);
    },
    KERNEL_MS_MAX,
  );
});
