import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { processIds } from "./process-table.ts";

/** Who uses a file system, and how we know. */
export type MountUser = {
  readonly processId: number;
  readonly how: "working directory" | "root" | "program" | "open file" | "mapped file";
};

/**
 * Finds the processes that have one of the mounts open, mapped, as root or as working directory.
 *
 * Nothing here follows a link into the mount: stat(2) on /proc/PID/fd/N would ask the very file
 * system that no longer answers, and never return. Names are read with readlink(2), which the
 * kernel answers by itself, and compared with the places where the mount's device stands in that
 * process's own mount namespace (proc_pid_mountinfo(5)).
 */
export function findMountUsers(
  mountPoints: readonly string[],
  found: (user: MountUser) => void,
): void {
  const devices = devicesOf(mountPoints, readOr("/proc/self/mountinfo"));
  if (devices.size === 0) return;
  const prefixesByNamespace = new Map<string, readonly string[]>();
  for (const processId of processIds()) {
    const directory = `/proc/${processId}`;
    const namespace = linkOr(`${directory}/ns/mnt`);
    let prefixes = prefixesByNamespace.get(namespace);
    if (prefixes === undefined) {
      prefixes = placesOf(devices, readOr(`${directory}/mountinfo`));
      prefixesByNamespace.set(namespace, prefixes);
    }
    const how = prefixes.length === 0 ? null : howUsed(directory, prefixes, devices);
    if (how !== null) found({ processId, how });
  }
}

/** `major:minor` of what is mounted at the given places. */
export function devicesOf(mountPoints: readonly string[], mountinfo: string): ReadonlySet<string> {
  const wanted = new Set(mountPoints);
  return new Set(
    mountsIn(mountinfo)
      .filter(({ place }) => wanted.has(place))
      .map(({ device }) => device),
  );
}

function placesOf(devices: ReadonlySet<string>, mountinfo: string): readonly string[] {
  return mountsIn(mountinfo)
    .filter(({ device }) => devices.has(device))
    .map(({ place }) => place);
}

function mountsIn(mountinfo: string): readonly { device: string; place: string }[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [, , device, , place] = line.split(" ");
    if (device === undefined || place === undefined) return [];
    return [{ device, place: unescapeOctal(place) }];
  });
}

/** Space, tab, newline and backslash stand as octal escapes in mountinfo. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number(`0o${octal}`)));

const LINKS = [
  ["cwd", "working directory"],
  ["root", "root"],
  ["exe", "program"],
] as const;

function howUsed(
  directory: string,
  prefixes: readonly string[],
  devices: ReadonlySet<string>,
): MountUser["how"] | null {
  const isInside = (path: string): boolean =>
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
  for (const [link, how] of LINKS) {
    if (isInside(linkOr(`${directory}/${link}`))) return how;
  }
  if (fileDescriptorsOf(directory).some((fd) => isInside(linkOr(`${directory}/fd/${fd}`)))) {
    return "open file";
  }
  return hasMapping(readOr(`${directory}/maps`), devices) ? "mapped file" : null;
}

/** The fourth column of maps is the device, in hexadecimal there and in decimal in mountinfo. */
function hasMapping(maps: string, devices: ReadonlySet<string>): boolean {
  return maps.split("\n").some((line) => {
    const [major, minor] = line.split(" ")[3]?.split(":") ?? [];
    if (major === undefined || minor === undefined) return false;
    return devices.has(`${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`);
  });
}

function fileDescriptorsOf(directory: string): readonly string[] {
  try {
    return readdirSync(`${directory}/fd`);
  } catch {
    return [];
  }
}

function linkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
