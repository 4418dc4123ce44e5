/** Power loss of a file system: ext4's own emergency stop, without flushing anything. */
import { closeSync, openSync } from "node:fs";
import koffi from "koffi";

/** `EXT4_IOC_SHUTDOWN`, _IOR('X', 125, __u32) in linux/fs/ext4/ext4.h. */
const EXT4_IOC_SHUTDOWN = 0x8004587d;
/** `EXT4_GOING_FLAGS_NOLOGFLUSH`: what was not yet in the journal on disk is gone. */
const GOING_FLAGS_NOLOGFLUSH = 2;

const ioctl = koffi
  .load("libc.so.6")
  .func("int ioctl(int fd, ulong request, const uint32_t *flags)");

/** Everything that was not on stable storage is lost; each later call on it fails with EIO. */
export function cutPowerOf(pathOnFileSystem: string): void {
  const descriptor = openSync(pathOnFileSystem, "r");
  try {
    const answer: unknown = ioctl(descriptor, EXT4_IOC_SHUTDOWN, [GOING_FLAGS_NOLOGFLUSH]);
    if (answer !== 0) throw new Error(`EXT4_IOC_SHUTDOWN of ${pathOnFileSystem}: ${koffi.errno()}`);
  } finally {
    closeSync(descriptor);
  }
}
