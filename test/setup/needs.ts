/**
 * What parts of the tests and the playground need and may not find. Each answers null when it is
 * there; otherwise why not and what to type, without brackets: in a skipped test's name it stands in
 * brackets, from where the closing line takes it.
 */
import { accessSync, constants, existsSync } from "node:fs";

/** Why replicated directories cannot be mounted here, and what to do. */
export function whyNoFuse(): string | null {
  if (!existsSync("/dev/fuse")) {
    return "there is no /dev/fuse: load the module with sudo modprobe fuse, or start the container with --device /dev/fuse --cap-add SYS_ADMIN";
  }
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "this user may not open /dev/fuse: sudo chmod 666 /dev/fuse, as is Debian's own default, or run it as root";
  }
  const isRoot = process.getuid?.() === 0;
  const hasHelper = ["/usr/bin/fusermount3", "/bin/fusermount3"].some((path) => existsSync(path));
  if (!isRoot && !hasHelper) {
    return "without root, mounts need fusermount3: sudo apt-get install -y --no-install-recommends fuse3";
  }
  return null;
}

export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export const whyNoChromium = (): string | null =>
  existsSync(CHROMIUM) ? null : "sudo apt-get install -y --no-install-recommends chromium";

/** For the name of a group of tests: nothing, or what it lacks. */
export const lacking = (what: string, why: string | null): string =>
  why === null ? "" : ` (needs ${what}: ${why})`;
