/**
 * As whom a thread acts on files. A file must be born with the owner that the application's
 * process would have given it, and setting the owner afterwards would leave a moment in which it
 * has another, and would miss the setgid and ACL rules of the parent directory; so the thread takes
 * on the caller's file system uid and gid for the one call (setfsuid(2)), and keeps its
 * capabilities meanwhile (SECBIT_NO_SETUID_FIXUP, capabilities(7)): the kernel has already checked
 * the caller's rights, and the thread does not know the caller's supplementary groups.
 */
import { systemCall } from "./library.ts";

const setfsuidCall = systemCall<[uid: number]>("int setfsuid(uint)");
const setfsgidCall = systemCall<[gid: number]>("int setfsgid(uint)");
const umaskCall = systemCall<[mask: number]>("uint umask(uint)");
const unshareCall = systemCall<[flags: number]>("int unshare(int)");
const prctlCall = systemCall<[option: number, a: number, b: number, c: number, d: number]>(
  "int prctl(int, ulong, ulong, ulong, ulong)",
);
const geteuidCall = systemCall<[]>("uint geteuid()");
const getegidCall = systemCall<[]>("uint getegid()");
const setrlimitCall = systemCall<[resource: number, limit: Uint8Array]>(
  "int setrlimit(int, const void *)",
);
const getrlimitCall = systemCall<[resource: number, limit: Uint8Array]>(
  "int getrlimit(int, void *)",
);

const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
const SECBIT_NO_SETUID_FIXUP = 1 << 2;
const CLONE_FS = 0x200;
const RLIMIT_NOFILE = 7;

export const effectiveUid = (): number => geteuidCall();
export const effectiveGid = (): number => getegidCall();

/** This thread keeps its capabilities when its file system uid changes. Needs CAP_SETPCAP. */
export function keepCapabilitiesAcrossUids(): number {
  const bits = prctlCall(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (bits < 0) return bits;
  return prctlCall(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
}

/** Gives this thread a umask and a working directory of its own (unshare(2), CLONE_FS). */
export const unshareFileSystemState = (): number => unshareCall(CLONE_FS);

/** Sets this thread's umask (the whole process's before `unshareFileSystemState`); the old one. */
export const setUmask = (mask: number): number => umaskCall(mask);

/** setfsuid(2) has no way to report failure: it answers the former uid whatever happened. */
export const setFileSystemUid = (uid: number): number => setfsuidCall(uid);
export const setFileSystemGid = (gid: number): number => setfsgidCall(gid);

/**
 * Raises how many descriptors this process may have open towards `wanted`: a served tree costs one
 * per file that the kernel remembers. Only root may lift the hard limit (up to fs.nr_open, see
 * proc(5)); anyone may use it up. What came to be, or -errno.
 */
export function raiseDescriptorLimit(wanted: number): number {
  const limit = new Uint8Array(16);
  const longs = new BigUint64Array(limit.buffer);
  const read = getrlimitCall(RLIMIT_NOFILE, limit);
  if (read < 0) return read;
  const hard = longs[1] ?? 0n;
  const raised = BigInt(wanted) > hard ? BigInt(wanted) : hard;
  for (const bound of [raised, hard]) {
    longs.fill(bound);
    if (setrlimitCall(RLIMIT_NOFILE, limit) === 0) return Number(bound);
  }
  return Number(hard);
}
