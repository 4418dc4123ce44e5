/**
 * Files that the secondary must still know by their ids, without a descriptor for each: the
 * primary's kernel may remember a million, a process may have far fewer descriptors. What is kept
 * is a file handle, which names an inode for as long as that exists. So a file whose last name is
 * about to go has to be woken first: the primary's application may have it open and write on.
 */
import { ERRNO } from "../adapters/linux/errno.ts";
import { close, O_CLOEXEC, O_PATH, S_IFDIR } from "../adapters/linux/file.ts";
import { handleOf, openHandle } from "../adapters/linux/file-handle.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { FileId } from "./operation.ts";

type Parked = { readonly root: number; readonly handle: Uint8Array; readonly key: Key };
type Key = number | bigint;

export class ParkedFiles {
  /** Of the trees: whatever lies in a tree lies in the file system of its root. */
  readonly #roots: readonly { readonly fd: number; readonly device: number }[];
  readonly #files = new Map<FileId, Parked>();
  /** For each root's file system, whose inode is parked as what. */
  readonly #byInode: readonly Map<Key, FileId>[];
  readonly #stat = new Stat();
  /** Opening by a handle takes a capability (CAP_DAC_READ_SEARCH); null: not tried yet. */
  #canWake: boolean | null = null;

  constructor(roots: readonly number[]) {
    this.#roots = roots.map((fd) => {
      this.#stat.of(fd);
      return { fd, device: this.#stat.device };
    });
    this.#byInode = roots.map(() => new Map());
  }

  get size(): number {
    return this.#files.size;
  }

  /** Takes over and closes an O_PATH descriptor; false when it must stay open. */
  park(id: FileId, fd: number): boolean {
    if (this.#canWake === false || this.#stat.of(fd) < 0) return false;
    const { linkCount, device, inodeKey } = this.#stat;
    // Without a name it lives by this descriptor alone.
    if (linkCount === 0) return false;
    const root = this.#roots.findIndex((one) => one.device === device);
    const handle = root < 0 ? null : handleOf(fd);
    if (handle === null || !this.#isWakeable(root, handle)) return false;
    this.#files.set(id, { root, handle, key: inodeKey });
    this.#byInode[root]?.set(inodeKey, id);
    close(fd);
    return true;
  }

  /** Tried once, before the first descriptor is given up. */
  #isWakeable(root: number, handle: Uint8Array): boolean {
    if (this.#canWake !== null) return this.#canWake;
    const fd = openHandle(this.#roots[root]?.fd ?? -1, handle, O_PATH | O_CLOEXEC);
    if (fd >= 0) close(fd);
    this.#canWake = fd >= 0;
    return this.#canWake;
  }

  /** The file again, by `flags`; -ESTALE when it was never parked, or -errno. */
  wake(id: FileId, flags: number): number {
    const parked = this.#files.get(id);
    const root = this.#roots[parked?.root ?? -1];
    if (parked === undefined || root === undefined) return -ERRNO.ESTALE;
    const fd = openHandle(root.fd, parked.handle, flags);
    if (fd >= 0) this.drop(id);
    return fd;
  }

  drop(id: FileId): void {
    const parked = this.#files.get(id);
    if (parked === undefined) return;
    this.#files.delete(id);
    this.#byInode[parked.root]?.delete(parked.key);
  }

  /** Which parked file would be lost with `name` in `directory`; 0 when none. */
  losing(directory: number, name: Uint8Array): FileId {
    if (this.#files.size === 0 || this.#stat.at(directory, name) < 0) return 0;
    const { linkCount, device, inodeKey, type } = this.#stat;
    if (linkCount > 1 && type !== S_IFDIR) return 0;
    const root = this.#roots.findIndex((one) => one.device === device);
    return this.#byInode[root]?.get(inodeKey) ?? 0;
  }
}
