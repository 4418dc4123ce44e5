/**
 * Creating files as the process that asked for it: owner, group, umask (see
 * adapters/linux/identity.ts for why not afterwards). All of it is state of the calling thread.
 */

import { assert } from "#model/shared/assert.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import {
  effectiveUid,
  keepCapabilitiesAcrossUids,
  raiseDescriptorLimit,
  setFileSystemGid,
  setFileSystemUid,
  setUmask,
  unshareFileSystemState,
} from "../adapters/linux/identity.ts";

const DESCRIPTORS_WANTED = 1_048_576;

export class Caller {
  /** Without root everything belongs to the agent's own user, which is all that it may do. */
  readonly #isRoot = effectiveUid() === 0;

  /** Prepares the calling thread, which must be the one that serves. Repeating it is harmless. */
  constructor() {
    // Or the umask below would be that of every thread, and so of the agent's own files.
    const unshared = unshareFileSystemState();
    assert(unshared === 0, `unshare(CLONE_FS): ${errnoName(unshared)}`);
    setUmask(0);
    raiseDescriptorLimit(DESCRIPTORS_WANTED);
    if (!this.#isRoot) return;
    const kept = keepCapabilitiesAcrossUids();
    assert(kept === 0 || kept === -ERRNO.EPERM, `prctl(PR_SET_SECUREBITS): ${errnoName(kept)}`);
  }

  /** From here to `restore` new files are the caller's. The kernel applies `umask` or the ACL. */
  become(uid: number, gid: number, umask: number): void {
    if (umask !== 0) setUmask(umask);
    if (!this.#isRoot) return;
    if (gid !== 0) setFileSystemGid(gid);
    if (uid !== 0) setFileSystemUid(uid);
  }

  restore(uid: number, gid: number, umask: number): void {
    if (umask !== 0) setUmask(0);
    if (!this.#isRoot) return;
    if (uid !== 0) setFileSystemUid(0);
    if (gid !== 0) setFileSystemGid(0);
  }
}
