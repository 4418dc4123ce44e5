/**
 * openat2(2): opening by a path that must not leave a directory. A peer names files; whatever it
 * sends (`..`, a symlink swapped in between check and use, /proc magic links) can then lead
 * nowhere but beneath the directory, because the kernel itself refuses the step.
 */
import { systemCall } from "./library.ts";

const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const HOW_BYTES = 24;

const openat2Call = systemCall<
  [number: number, directory: number, path: Uint8Array, how: Uint8Array, size: number]
>("long syscall(long, long, const void *, const void *, long)");

const how = new Uint8Array(HOW_BYTES);
const howWords = new Uint32Array(how.buffer);
howWords[4] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/**
 * A descriptor of `path` beneath `directory`, or -errno: ELOOP for a symlink on the way (with
 * O_PATH|O_NOFOLLOW the last part may be one), EXDEV for a step out. Linux 5.6; ENOSYS before.
 */
export function openBeneath(
  directory: number,
  path: Uint8Array,
  flags: number,
  mode: number,
): number {
  howWords[0] = flags;
  // The kernel refuses a mode (EINVAL) when nothing can be created.
  howWords[2] = mode;
  return openat2Call(SYS_OPENAT2, directory, path, how, HOW_BYTES);
}
