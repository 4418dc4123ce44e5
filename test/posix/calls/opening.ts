/** open(2) and its family, and what is made or removed by name. */
import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  close,
  linkat,
  mkdirat,
  mknodat,
  openat,
  readlinkat,
  renameat2,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
  S_IFSOCK,
  symlinkat,
  unlinkat,
} from "../../../node-agent/adapters/linux/file.ts";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { type Call, c, flags, HERE, mode, number, OPEN_FLAGS, toldData } from "./session.ts";

const SYS_OPENAT2 = 437;
const openat2 = systemCall<
  [call: number, directory: number, path: Uint8Array, how: Uint8Array, size: number]
>("long syscall(long, long, const void *, const void *, long)");
const dup = systemCall<[fd: number]>("int dup(int)");

const RESOLVE = {
  NO_XDEV: 1,
  NO_MAGICLINKS: 2,
  NO_SYMLINKS: 4,
  BENEATH: 8,
  IN_ROOT: 16,
  CACHED: 32,
};
const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 };
const TYPES = {
  file: S_IFREG,
  fifo: S_IFIFO,
  socket: S_IFSOCK,
  char: S_IFCHR,
  block: S_IFBLK,
  directory: S_IFDIR,
};
const LINK = { FOLLOW: AT_SYMLINK_FOLLOW, EMPTY_PATH: AT_EMPTY_PATH };
const PATH_BYTES_MAX = 8192;

function how(text: string, rights: string | undefined, resolve: string | undefined): Uint8Array {
  const words = [flags(OPEN_FLAGS, text), rights === undefined ? 0 : mode(rights)];
  return new Uint8Array(new BigUint64Array([...words, flags(RESOLVE, resolve)].map(BigInt)).buffer);
}

export const OPENING: Record<string, Call> = {
  open: (_, path = "", text = "RDONLY", rights) =>
    openat(HERE, c(path), flags(OPEN_FLAGS, text), mode(rights)),
  openat: (s, at = "", path = "", text = "RDONLY", rights) =>
    openat(s.fd(at), c(path), flags(OPEN_FLAGS, text), mode(rights)),
  /** `openat2 DIRECTORY PATH FLAGS RESOLVE [MODE]` */
  openat2: (s, at = "", path = "", text = "RDONLY", resolve = "0", rights) =>
    openat2(SYS_OPENAT2, s.fd(at), c(path), how(text, rights, resolve), 24),
  /** Opens and closes at once. */
  touch: (_, path = "", text = "RDWR|CREAT", rights) => {
    const fd = openat(HERE, c(path), flags(OPEN_FLAGS, text), mode(rights));
    return fd < 0 ? fd : close(fd);
  },
  close: (s, name = "") => s.close(name),
  dup: (s, name = "") => dup(s.fd(name)),
  mkdir: (_, path = "", rights = "0755") => mkdirat(HERE, c(path), mode(rights)),
  mkdirat: (s, at = "", path = "", rights = "0755") => mkdirat(s.fd(at), c(path), mode(rights)),
  rmdir: (_, path = "") => unlinkat(HERE, c(path), AT_REMOVEDIR),
  unlink: (_, path = "") => unlinkat(HERE, c(path), 0),
  link: (_, from = "", to = "") => linkat(HERE, c(from), HERE, c(to), 0),
  /** `linkat DIRECTORY PATH DIRECTORY PATH FLAGS` */
  linkat: (s, at = "", from = "", newAt = "", to = "", text = "0") =>
    linkat(s.fd(at), c(from), s.fd(newAt), c(to), flags(LINK, text)),
  symlink: (_, target = "", path = "") => symlinkat(c(target), HERE, c(path)),
  readlink: (_, path = "", sizeMax = `${PATH_BYTES_MAX}`) => {
    const target = new Uint8Array(number(sizeMax));
    return toldData(readlinkat(HERE, c(path), target, target.length), target);
  },
  rename: (_, from = "", to = "", text = "0") =>
    renameat2(HERE, c(from), HERE, c(to), flags(RENAME, text)),
  renameat: (s, at = "", from = "", newAt = "", to = "", text = "0") =>
    renameat2(s.fd(at), c(from), s.fd(newAt), c(to), flags(RENAME, text)),
  /** `mknod PATH TYPE MODE [DEVICE]` */
  mknod: (_, path = "", type = "file", rights = "0644", device = "0") =>
    mknodat(HERE, c(path), flags(TYPES, type) | mode(rights), number(device)),
};
