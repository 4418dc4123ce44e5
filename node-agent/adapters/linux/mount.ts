/** mount(2), umount2(2), and what is mounted where (/proc/self/mountinfo, proc_pid_mountinfo(5)). */
import { readFileSync } from "node:fs";
import { systemCall } from "./library.ts";

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
/** Unmount now for whoever looks; for good when nobody uses it any more. */
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

export const mount = systemCall<
  [source: Uint8Array, target: Uint8Array, type: Uint8Array, flags: number, data: Uint8Array]
>("int mount(const void *, const void *, const void *, ulong, const void *)");
export const umount2 = systemCall<[target: Uint8Array, flags: number]>(
  "int umount2(const void *, int)",
);

/** One line of mountinfo, as far as we look at it. */
export type MountPoint = {
  /** Absolute, as bytes in a latin1 string: one character a byte. */
  readonly path: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor`; a FUSE connection's directory in /sys/fs/fuse is named after the minor. */
  readonly device: string;
};

/** Every mount of this mount namespace, later ones over earlier ones. */
export function mountPoints(): MountPoint[] {
  const text = readFileSync("/proc/self/mountinfo", "latin1");
  return parseMountInfo(text);
}

/** The text of mountinfo, read as latin1 so that names keep their bytes. */
export function parseMountInfo(text: string): MountPoint[] {
  const found: MountPoint[] = [];
  for (const line of text.split("\n")) {
    const [head, tail] = line.split(" - ");
    if (head === undefined || tail === undefined) continue;
    const [type = "", source = ""] = tail.split(" ");
    const fields = head.split(" ");
    found.push({
      path: unescapeOctal(fields[4] ?? ""),
      type,
      source: unescapeOctal(source),
      device: fields[2] ?? "",
    });
  }
  return found;
}

/** Blanks and backslashes in names are written as `\040` and the like. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
