/**
 * The replicated operations: what crosses from a primary to its secondary, in one total order per
 * module. This file is the seam between the FUSE server, which performs an application's call on
 * the primary's own directory and then describes it here, and the replication link, which carries
 * it. Neither side knows the other.
 *
 * Identity. A file is named by an id that the primary gives (never by a path that is looked up
 * later). The ids `1..trees` are the roots of the module's replicated directories in the order of
 * the module's file. Every other id is introduced by the operation that creates the file, by
 * `bind`, or by `orphan`, before its first use; a fresh attachment of a secondary starts with the
 * roots alone.
 *
 * Order. The primary applies an operation locally, and only if that succeeded submits it, on one
 * thread: so the stream's order is the order of effects, and a path that is right on the primary
 * when a `bind` is submitted is right on the secondary when that `bind` is applied.
 *
 * Names are bytes as POSIX has them (any but `/` and NUL, at most 255), never strings.
 */

/** Given by the primary; a positive safe integer. Never reused within an epoch. */
export type FileId = number;

/** A point in time as Linux keeps it: whole seconds (may be negative) and nanoseconds 0..999999999. */
export type FileTime = { readonly seconds: number; readonly nanoseconds: number };

/** Owner and mode of something new, as it came to be on the primary after umask and setgid rules. */
export type Birth = {
  /** Type and permission bits as in stat(2) `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

export type Operation =
  /** The file that `name` in directory `parent` leads to is called `id` from now on. */
  | {
      readonly kind: "bind";
      readonly id: FileId;
      readonly parent: FileId;
      readonly name: Uint8Array;
    }
  /** A file that has no name any more but is still open: an empty anonymous file called `id`. */
  | { readonly kind: "orphan"; readonly id: FileId; readonly birth: Birth }
  /** open(2) O_CREAT of a new regular file, or mknod(2) of any type; `rdev` as in stat(2). */
  | {
      readonly kind: "create";
      readonly parent: FileId;
      readonly name: Uint8Array;
      readonly id: FileId;
      readonly birth: Birth;
      readonly rdev: number;
    }
  | {
      readonly kind: "mkdir";
      readonly parent: FileId;
      readonly name: Uint8Array;
      readonly id: FileId;
      readonly birth: Birth;
    }
  | {
      readonly kind: "symlink";
      readonly parent: FileId;
      readonly name: Uint8Array;
      readonly id: FileId;
      readonly birth: Birth;
      readonly target: Uint8Array;
    }
  /** link(2): a further name for `id`. */
  | {
      readonly kind: "link";
      readonly id: FileId;
      readonly parent: FileId;
      readonly name: Uint8Array;
    }
  | { readonly kind: "unlink"; readonly parent: FileId; readonly name: Uint8Array }
  | { readonly kind: "rmdir"; readonly parent: FileId; readonly name: Uint8Array }
  /** renameat2(2) with its `flags` (RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4). */
  | {
      readonly kind: "rename";
      readonly parent: FileId;
      readonly name: Uint8Array;
      readonly newParent: FileId;
      readonly newName: Uint8Array;
      readonly flags: number;
    }
  /** `data` is only valid during `submit`: the sink copies what it keeps. */
  | {
      readonly kind: "write";
      readonly id: FileId;
      readonly offsetBytes: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: "truncate"; readonly id: FileId; readonly sizeBytes: number }
  /** fallocate(2) with its `mode` bits (KEEP_SIZE 1, PUNCH_HOLE 2, COLLAPSE 8, ZERO 16, INSERT 32). */
  | {
      readonly kind: "fallocate";
      readonly id: FileId;
      readonly mode: number;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
    }
  /** Absent fields stay as they are. Times are set exactly, so that both copies agree to the nanosecond. */
  | {
      readonly kind: "setattr";
      readonly id: FileId;
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly atime?: FileTime;
      readonly mtime?: FileTime;
    }
  /** setxattr(2) with its `flags` (XATTR_CREATE 1, XATTR_REPLACE 2); ACLs travel as their xattrs. */
  | {
      readonly kind: "setxattr";
      readonly id: FileId;
      readonly name: Uint8Array;
      readonly value: Uint8Array;
      readonly flags: number;
    }
  | { readonly kind: "removexattr"; readonly id: FileId; readonly name: Uint8Array }
  /** fsync(2)/fdatasync(2), also of a directory: acknowledged when `id` is on stable storage there. */
  | { readonly kind: "fsync"; readonly id: FileId; readonly dataOnly: boolean }
  /** syncfs(2) of the file system that holds the tree. */
  | { readonly kind: "syncfs"; readonly id: FileId }
  /**
   * A place that the primary is about to touch on its own disk (model/replication/hot-places.ts):
   * the secondary does nothing, but knows it should the primary die. `sought`: the file there is
   * about to lose this name and has others.
   */
  | {
      readonly kind: "touch";
      readonly tree: number;
      readonly path: Uint8Array;
      readonly what: "names" | "all" | "content" | "sought" | "everything";
      readonly startBytes: number;
      /** Of content; MAX_SAFE_INTEGER: to the end. */
      readonly endBytes: number;
    }
  /** The primary's kernel has forgotten `id`: the secondary may close what it keeps open for it. */
  | { readonly kind: "forget"; readonly id: FileId };

export type OperationKind = Operation["kind"];

/**
 * Where the FUSE server puts what it did. Implemented by the replication sender; a sink that
 * replicates nowhere calls `done` at once.
 */
export interface OperationSink {
  /**
   * Takes one operation, synchronously and in order, on the core thread. `done` runs exactly once,
   * on the same thread, when the operation is on every node that the in-sync set requires — which
   * may be before `submit` returns, later, or never (a fenced node answers nothing). Without
   * `done` the operation is carried in order, but nobody waits for it (`bind`, `forget`).
   *
   * Returns false when the window of unacknowledged operations is full: the caller stops reading
   * requests until `onWindowOpen` is called. The operation itself has been taken all the same.
   */
  submit(operation: Operation, done?: () => void): boolean;
  /** What was submitted is to leave now, not when the loop's turn ends: an fsync takes long there. */
  hurry(): void;
}
