/** Everything that two copies of a directory must agree on, one line a file. */
import { createHash } from "node:crypto";
import { listDirectory } from "../../node-agent/adapters/linux/directory.ts";
import {
  AT_FDCWD,
  close,
  descriptorPath,
  EMPTY_PATH,
  getxattr,
  listxattr,
  lseek,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openat,
  pread,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "../../node-agent/adapters/linux/file.ts";
import { cString, withNul } from "../../node-agent/adapters/linux/library.ts";
import { Stat } from "../../node-agent/adapters/linux/stat.ts";

const NAMES_BYTES_MAX = 65_536;
const BLOCK_BYTES = 65_536;
const stat = new Stat();
const names = new Uint8Array(NAMES_BYTES_MAX);
const value = new Uint8Array(NAMES_BYTES_MAX);
const SEEK_DATA = 3;

/** Type, mode, owner, size, mtime, links, content, target, device, xattrs of everything in `path`. */
export function treeFacts(path: string): string[] {
  const root = openat(AT_FDCWD, cString(path), O_PATH | O_CLOEXEC, 0);
  const facts: string[] = [];
  const links = new Map<number | bigint, string>();
  describe(root, ".", facts, links);
  close(root);
  return facts.sort();
}

function describe(
  fd: number,
  path: string,
  facts: string[],
  links: Map<number | bigint, string>,
): void {
  stat.of(fd);
  const { seconds, nanoseconds } = stat.mtime;
  const isDirectory = stat.type === S_IFDIR;
  const first = links.get(stat.inodeKey);
  if (!isDirectory && first === undefined) links.set(stat.inodeKey, path);
  facts.push(
    [
      path,
      stat.mode.toString(8),
      `${stat.uid}:${stat.gid}`,
      isDirectory ? "" : `size=${stat.sizeBytes} links=${stat.linkCount} rdev=${stat.rdev}`,
      `mtime=${seconds}.${nanoseconds}`,
      stat.type === S_IFREG && stat.sizeBytes > 0 ? digest(fd) : "",
      stat.type === S_IFLNK ? target(fd) : "",
      first === undefined ? "" : `same as ${first}`,
      ...attributes(fd),
    ].join(" "),
  );
  if (!isDirectory) return;
  const entries = listDirectory(fd);
  if (typeof entries === "number") throw new Error(`cannot list ${path}: ${entries}`);
  entries.sort((a, b) => Buffer.compare(a.name, b.name));
  for (const entry of entries) {
    const child = openat(fd, withNul(entry.name), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    describe(child, `${path}/${Buffer.from(entry.name).toString("latin1")}`, facts, links);
    close(child);
  }
}

/** Of the content; holes, which may be huge, are not read: only what differs from zero counts. */
function digest(path: number): string {
  const fd = openat(AT_FDCWD, descriptorPath(path), O_RDONLY | O_CLOEXEC, 0);
  const hash = createHash("sha256");
  const block = new Uint8Array(BLOCK_BYTES);
  const zeros = new Uint8Array(BLOCK_BYTES);
  for (let at = 0; ; ) {
    const found = lseek(fd, at, SEEK_DATA);
    if (found < 0) break;
    at = found - (found % BLOCK_BYTES);
    const length = pread(fd, block, BLOCK_BYTES, at);
    if (length <= 0) break;
    const data = block.subarray(0, length);
    if (Buffer.compare(data, zeros.subarray(0, length)) !== 0) hash.update(`${at}`).update(data);
    at += BLOCK_BYTES;
  }
  close(fd);
  return hash.digest("hex").slice(0, 16);
}

function target(fd: number): string {
  const bytes = new Uint8Array(4096);
  return `-> ${Buffer.from(bytes.subarray(0, readlinkat(fd, EMPTY_PATH, bytes, 4096))).toString("latin1")}`;
}

function attributes(fd: number): string[] {
  const length = listxattr(descriptorPath(fd), names, names.length);
  if (length <= 0) return [];
  const list = Buffer.from(names.subarray(0, Math.max(0, length)))
    .toString("latin1")
    .split("\0");
  return list
    .filter((name) => name !== "")
    .sort()
    .map((name) => {
      const size = getxattr(descriptorPath(fd), cString(name), value, value.length);
      return `${name}=${Buffer.from(value.subarray(0, Math.max(0, size))).toString("hex")}`;
    });
}

/** Lines that only one has: `- ` the first, `+ ` the second. */
export function treeDifferences(first: readonly string[], second: readonly string[]): string[] {
  const [ofFirst, ofSecond] = [new Set(first), new Set(second)];
  return [
    ...first.filter((fact) => !ofSecond.has(fact)).map((fact) => `- ${fact}`),
    ...second.filter((fact) => !ofFirst.has(fact)).map((fact) => `+ ${fact}`),
  ];
}
