/**
 * Performs the primary's operations on the secondary's real directories, one after the other,
 * exactly: names, modes, owners and times become what they became on the primary, whatever umask
 * or rules hold here. Every name is a single component, opened beneath a directory that an id
 * already stands for (openat2(2)), so nothing a peer sends can lead outside a tree.
 *
 * It never guesses: an operation that cannot be performed as it was leaves -errno, and the caller
 * stops the stream there. Two copies that differ are worse than one copy that is known to be late.
 */

import type { MutationListener } from "#model/replication/dirty-set.ts";
import { assertNever } from "#model/shared/assert.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  chmod,
  close,
  descriptorPath,
  EMPTY_PATH,
  fallocate,
  fchownat,
  ftruncate,
  linkat,
  mkdirat,
  mknodat,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  O_TMPFILE,
  openat,
  pwrite,
  removexattr,
  renameat2,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  setxattr,
  symlinkat,
  unlinkat,
  utimensat,
} from "../adapters/linux/file.ts";
import { cString, withNul } from "../adapters/linux/library.ts";
import { openBeneath } from "../adapters/linux/open-beneath.ts";
import { Stat, timespecs } from "../adapters/linux/stat.ts";
import { AppliedReports } from "./applied-reports.ts";
import { FileTable } from "./file-table.ts";
import type { Birth, FileId, Operation } from "./operation.ts";

const PERMISSIONS = 0o7777;
const UNCHANGED_ID = 0xffff_ffff;
const PATH_FLAGS = O_PATH | O_NOFOLLOW | O_CLOEXEC;
const CREATE_FLAGS = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
const HERE = cString(".");

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

export class Applier {
  readonly files: FileTable;
  readonly #reports: AppliedReports;
  readonly #rootCount: number;
  readonly #here = new Stat();
  readonly #there = new Stat();

  /** `roots`: readable descriptors of the real directories, in the order of the trees. */
  constructor(roots: readonly number[], pathsMax?: number) {
    this.files = new FileTable(roots, pathsMax);
    this.#rootCount = roots.length;
    this.#reports = new AppliedReports(roots, this.files);
  }

  /** Told of everything that is touched here. */
  set mutations(listener: MutationListener | null) {
    this.#reports.listener = listener;
  }

  /** A new attachment: only the roots have ids. */
  reset(): void {
    this.files.clear();
    this.#reports.reset();
  }

  /** 0, or -errno with nothing promised about this operation. fsync and syncfs are the caller's. */
  apply(o: Operation): number {
    this.files.trim();
    this.#reports.before(o);
    const result = this.#perform(o);
    this.#reports.after(o);
    return result;
  }

  #perform(o: Operation): number {
    switch (o.kind) {
      case "write":
        return this.#write(o);
      case "bind":
        return this.#bind(o);
      case "create":
        return this.#create(o);
      case "mkdir":
        return this.#mkdir(o);
      case "symlink":
        return this.#symlink(o);
      case "orphan":
        return this.#orphan(o);
      case "link":
        return this.#link(o);
      case "unlink":
      case "rmdir":
        return this.#remove(o);
      case "rename":
        return this.#rename(o);
      case "truncate":
      case "fallocate":
        return this.#resize(o);
      case "setattr":
        return this.#setattr(o);
      case "setxattr":
      case "removexattr":
        return this.#setxattr(o);
      case "forget":
        this.files.forget(o.id);
        return 0;
      case "touch":
        return o.tree < this.#rootCount ? 0 : -ERRNO.EINVAL;
      case "fsync":
      case "syncfs":
        return 0;
      default:
        return assertNever(o);
    }
  }

  #write(o: Of<"write">): number {
    const fd = this.files.opened(o.id);
    if (fd < 0) return fd;
    let at = 0;
    while (at < o.data.length) {
      const rest = at === 0 ? o.data : o.data.subarray(at);
      const written = pwrite(fd, rest, rest.length, o.offsetBytes + at);
      if (written === -ERRNO.EINTR) continue;
      if (written < 0) return written;
      if (written === 0) return -ERRNO.EIO;
      at += written;
    }
    return 0;
  }

  #bind(o: Of<"bind">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const fd = openBeneath(parent, withNul(o.name), PATH_FLAGS, 0);
    if (fd < 0) return fd;
    const known = this.files.descriptor(o.id);
    if (known < 0) {
      this.files.addPath(o.id, fd);
      return 0;
    }
    // A further bind of the same file (it has several names) is harmless; of another it is not.
    const isSame = this.#isSameFile(fd, known);
    close(fd);
    return isSame ? 0 : -ERRNO.ESTALE;
  }

  #isSameFile(a: number, b: number): boolean {
    if (this.#here.of(a) < 0 || this.#there.of(b) < 0) return false;
    return this.#here.inodeKey === this.#there.inodeKey && this.#here.device === this.#there.device;
  }

  #create(o: Of<"create">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    if (this.files.has(o.id)) return -ERRNO.EEXIST;
    const name = withNul(o.name);
    if ((o.birth.mode & S_IFMT) === S_IFREG) {
      const fd = openBeneath(parent, name, CREATE_FLAGS, o.birth.mode & PERMISSIONS);
      if (fd < 0) return fd;
      this.files.addOpen(o.id, fd);
      return this.#settle(fd, o.birth);
    }
    const made = mknodat(parent, name, o.birth.mode, o.rdev);
    return made < 0 ? made : this.#adopt(o.id, parent, name, o.birth);
  }

  #mkdir(o: Of<"mkdir">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const name = withNul(o.name);
    const made = mkdirat(parent, name, o.birth.mode & PERMISSIONS);
    return made < 0 ? made : this.#adopt(o.id, parent, name, o.birth);
  }

  #symlink(o: Of<"symlink">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const name = withNul(o.name);
    const made = symlinkat(withNul(o.target), parent, name);
    return made < 0 ? made : this.#adopt(o.id, parent, name, o.birth);
  }

  /** Gives what was just made its id, owner and mode. */
  #adopt(id: FileId, parent: number, name: Uint8Array, birth: Birth): number {
    if (this.files.has(id)) return -ERRNO.EEXIST;
    const fd = openBeneath(parent, name, PATH_FLAGS, 0);
    if (fd < 0) return fd;
    this.files.addPath(id, fd);
    return this.#settle(fd, birth);
  }

  #orphan(o: Of<"orphan">): number {
    if (this.files.has(o.id)) return -ERRNO.EEXIST;
    const root = this.files.descriptor(1);
    if (root < 0) return root;
    const fd = openAnonymous(root, o.id, o.birth.mode & PERMISSIONS);
    if (fd < 0) return fd;
    this.files.addOpen(o.id, fd);
    return this.#settle(fd, o.birth);
  }

  /** Owner first: a change of owner clears the suid and sgid bits (chown(2)). */
  #settle(fd: number, birth: Birth): number {
    const looked = this.#here.of(fd);
    if (looked < 0) return looked;
    if (this.#here.uid !== birth.uid || this.#here.gid !== birth.gid) {
      const owned = fchownat(fd, EMPTY_PATH, birth.uid, birth.gid, AT_EMPTY_PATH);
      if (owned < 0) return owned;
    } else if (this.#here.mode === birth.mode) {
      return 0;
    }
    if (this.#here.type === S_IFLNK) return 0;
    return chmod(descriptorPath(fd), birth.mode & PERMISSIONS);
  }

  #link(o: Of<"link">): number {
    const fd = this.files.descriptor(o.id);
    if (fd < 0) return fd;
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const name = withNul(o.name);
    const linked = linkat(fd, EMPTY_PATH, parent, name, AT_EMPTY_PATH);
    if (linked !== -ERRNO.ENOENT && linked !== -ERRNO.EPERM) return linked;
    // Without CAP_DAC_READ_SEARCH the descriptor may only be named through /proc (linkat(2)).
    return linkat(AT_FDCWD, descriptorPath(fd), parent, name, AT_SYMLINK_FOLLOW);
  }

  #remove(o: Of<"unlink" | "rmdir">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const name = withNul(o.name);
    const kept = this.files.keepFrom(parent, name);
    return kept < 0 ? kept : unlinkat(parent, name, o.kind === "rmdir" ? AT_REMOVEDIR : 0);
  }

  #rename(o: Of<"rename">): number {
    const parent = this.files.descriptor(o.parent);
    if (parent < 0) return parent;
    const newParent = this.files.descriptor(o.newParent);
    if (newParent < 0) return newParent;
    const newName = withNul(o.newName);
    const kept = this.files.keepFrom(newParent, newName);
    if (kept < 0) return kept;
    return renameat2(parent, withNul(o.name), newParent, newName, o.flags);
  }

  #resize(o: Of<"truncate" | "fallocate">): number {
    const fd = this.files.opened(o.id);
    if (fd < 0) return fd;
    if (o.kind === "truncate") return ftruncate(fd, o.sizeBytes);
    return fallocate(fd, o.mode, o.offsetBytes, o.lengthBytes);
  }

  #setattr(o: Of<"setattr">): number {
    const fd = this.files.descriptor(o.id);
    if (fd < 0) return fd;
    if (o.uid !== undefined || o.gid !== undefined) {
      const [uid, gid] = [o.uid ?? UNCHANGED_ID, o.gid ?? UNCHANGED_ID];
      const owned = fchownat(fd, EMPTY_PATH, uid, gid, AT_EMPTY_PATH);
      if (owned < 0) return owned;
    }
    if (o.mode !== undefined) {
      const changed = chmod(descriptorPath(fd), o.mode & PERMISSIONS);
      if (changed < 0) return changed;
    }
    if (o.atime === undefined && o.mtime === undefined) return 0;
    const times = timespecs(o.atime ?? null, o.mtime ?? null);
    return utimensat(AT_FDCWD, descriptorPath(fd), times, 0);
  }

  #setxattr(o: Of<"setxattr" | "removexattr">): number {
    const fd = this.files.descriptor(o.id);
    if (fd < 0) return fd;
    const name = withNul(o.name);
    if (o.kind === "removexattr") return removexattr(descriptorPath(fd), name);
    return setxattr(descriptorPath(fd), name, o.value, o.value.length, o.flags);
  }
}

/** A file without a name; by O_TMPFILE, or where the file system lacks it, made and unlinked. */
function openAnonymous(root: number, id: FileId, mode: number): number {
  const fd = openat(root, HERE, O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
  if (fd !== -ERRNO.EOPNOTSUPP && fd !== -ERRNO.EISDIR) return fd;
  const name = cString(`.mirrorfarm-unlinked-${id}`);
  const made = openBeneath(root, name, CREATE_FLAGS, mode);
  if (made >= 0) unlinkat(root, name, 0);
  return made;
}
