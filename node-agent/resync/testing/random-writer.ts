/** An application with a seed: random changes in a directory, reported as the FUSE server would. */
import * as fs from "node:fs";
import type { MutationListener } from "#model/replication/dirty-set.ts";
import * as file from "../../adapters/linux/file.ts";
import { withNul } from "../../adapters/linux/library.ts";
import { timespecs } from "../../adapters/linux/stat.ts";
import { joinPath, splitPath } from "../tree.ts";

/** mulberry32: the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Few names, so that what was one thing soon becomes another; some that trip the careless. */
const NAMES = [
  ...["a", "b", "c", "d", "e", "f", ".g", "..h", "i j", "k\nl", "-m", "n*"].map((name) =>
    Buffer.from(name),
  ),
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xc3, 0x28]),
  Buffer.from("n".repeat(255)),
  Buffer.from("ö"),
];
const ROOT: Uint8Array = new Uint8Array();
/** Only root gets at what it has taken from itself; anybody else keeps its own access. */
const KEPT_MODE = process.getuid?.() === 0 ? 0 : 0o700;
/** What may happen when a change is tried where it cannot be: no change, so nothing to report. */
const EXPECTED = new Set([
  "ENOENT",
  "EEXIST",
  "ENOTDIR",
  "EISDIR",
  "ENOTEMPTY",
  "EINVAL",
  "ELOOP",
  "EPERM",
  "ENXIO",
  "EMLINK",
]);

export class RandomWriter {
  readonly #root: Buffer;
  readonly #rootFd: number;
  readonly #random: () => number;
  readonly #listener: MutationListener | null;
  /** A name in the root that it leaves alone. */
  readonly #avoided: Buffer;

  constructor(
    root: string,
    seed: number,
    listener: MutationListener | null = null,
    avoided = "untouched",
  ) {
    this.#avoided = Buffer.from(avoided);
    this.#root = Buffer.from(root);
    this.#rootFd = fs.openSync(root, "r");
    this.#random = randomOf(seed);
    this.#listener = listener;
  }

  close(): void {
    fs.closeSync(this.#rootFd);
  }

  steps(count: number): void {
    for (let step = 0; step < count; step += 1) this.step();
  }

  /** One change, or none when the dice made an impossible one. */
  step(): void {
    const changes = [
      () => this.#create(),
      () => this.#create(),
      () => this.#create(),
      () => this.#mkdir(),
      () => this.#mkdir(),
      () => this.#write(),
      () => this.#write(),
      () => this.#write(),
      () => this.#truncate(),
      () => this.#rename(),
      () => this.#rename(),
      () => this.#link(),
      () => this.#unlink(),
      () => this.#rmdir(),
      () => this.#special(),
      () => this.#attributes(),
      () => this.#xattr(),
    ];
    try {
      changes[this.#below(changes.length)]?.();
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
      if (!EXPECTED.has(code)) throw thrown;
    }
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #at(path: Uint8Array): Buffer {
    return Buffer.concat([this.#root, Buffer.from("/"), path]);
  }

  /** Some existing directory. */
  #directory(): Uint8Array {
    let path: Uint8Array = ROOT;
    for (let depth = 0; depth < 4; depth += 1) {
      const below = fs
        .readdirSync(this.#at(path), { withFileTypes: true, encoding: "buffer" })
        .filter((entry) => entry.isDirectory() && !this.#avoided.equals(entry.name))
        .sort((a, b) => Buffer.compare(a.name, b.name));
      const next = below[this.#below(below.length + 1)];
      if (next === undefined) return path;
      path = joinPath(path, next.name);
    }
    return path;
  }

  /** Some name in some directory, which may or may not exist. */
  #name(): Uint8Array {
    return joinPath(this.#directory(), NAMES[this.#below(NAMES.length)] ?? ROOT);
  }

  /** Some existing entry, where there is one. */
  #entry(): Uint8Array {
    const directory = this.#directory();
    const names = fs
      .readdirSync(this.#at(directory), { encoding: "buffer" })
      .filter((name) => !this.#avoided.equals(name))
      .sort(Buffer.compare);
    const name = names[this.#below(names.length)];
    return name === undefined ? this.#name() : joinPath(directory, name);
  }

  #bytes(): Buffer {
    const sizes = [0, 1, 100, 5000, 20_000, 131_072, 131_073, 300_000];
    const size = sizes[this.#below(sizes.length)] ?? 0;
    return Buffer.alloc(size, this.#below(256));
  }

  #create(): void {
    const path = this.#name();
    fs.writeFileSync(this.#at(path), this.#bytes(), { flag: "wx" });
    this.#added(path);
  }

  #mkdir(): void {
    const path = this.#name();
    fs.mkdirSync(this.#at(path));
    this.#added(path);
  }

  #write(): void {
    const path = this.#entry();
    if (!fs.lstatSync(this.#at(path)).isFile()) return;
    const fd = fs.openSync(this.#at(path), "r+");
    const before = fs.fstatSync(fd, { bigint: true });
    const data = this.#bytes();
    const offset = this.#below(4) === 0 ? this.#below(2_000_000) : this.#below(10_000);
    fs.writeSync(fd, data, 0, data.length, offset);
    // What `make` and rsync would not see: other content with the same size and time.
    if (this.#below(2) === 0) {
      const nanoseconds = Number(before.mtimeNs % 1_000_000_000n);
      const mtime = { seconds: Number(before.mtimeNs / 1_000_000_000n), nanoseconds };
      const times = timespecs(null, mtime);
      file.utimensat(file.AT_FDCWD, file.descriptorPath(fd), times, 0);
    }
    fs.closeSync(fd);
    const inode = Number(before.ino);
    const written = { inode, offsetBytes: offset, lengthBytes: data.length };
    this.#listener?.changedFile(0, path, written);
  }

  #truncate(): void {
    const path = this.#entry();
    const stat = fs.lstatSync(this.#at(path));
    if (!stat.isFile()) return;
    const size = this.#below(3) === 0 ? this.#below(600_000) : this.#below(200);
    fs.truncateSync(this.#at(path), size);
    this.#listener?.changedFile(0, path, { inode: stat.ino });
  }

  #rename(): void {
    const [from, to] = [this.#entry(), this.#below(2) === 0 ? this.#entry() : this.#name()];
    const exchange = this.#below(4) === 0 ? 2 : 0;
    if (exchange === 0) this.#losesName(to);
    const renamed = file.renameat2(
      this.#rootFd,
      withNul(from),
      this.#rootFd,
      withNul(to),
      exchange,
    );
    if (renamed < 0) return;
    this.#removed(from);
    this.#added(to);
    if (exchange !== 0) this.#added(from);
    else this.#listener?.renamed(0, from, to);
  }

  #link(): void {
    const [from, to] = [this.#entry(), this.#name()];
    fs.linkSync(this.#at(from), this.#at(to));
    this.#added(to);
    this.#listener?.changedFile(0, from, { inode: fs.lstatSync(this.#at(from)).ino });
  }

  #unlink(): void {
    const path = this.#entry();
    this.#losesName(path);
    fs.unlinkSync(this.#at(path));
    this.#removed(path);
  }

  #rmdir(): void {
    const path = this.#entry();
    fs.rmdirSync(this.#at(path));
    this.#removed(path);
  }

  #special(): void {
    const path = this.#name();
    const modes = [file.S_IFIFO, file.S_IFSOCK, file.S_IFCHR];
    const mode = modes[this.#below(6)];
    if (mode === undefined) {
      fs.symlinkSync(NAMES[this.#below(NAMES.length)] ?? "x", this.#at(path));
    } else if (file.mknodat(this.#rootFd, withNul(path), mode | 0o644, 0x103) < 0) {
      return;
    }
    this.#added(path);
  }

  #attributes(): void {
    const path = this.#entry();
    const stat = fs.lstatSync(this.#at(path));
    if (this.#below(2) === 0) fs.lchownSync(this.#at(path), this.#below(4), this.#below(4));
    if (!stat.isSymbolicLink()) {
      fs.chmodSync(this.#at(path), this.#below(0o10000) | KEPT_MODE);
    }
    if (this.#below(2) === 0) {
      const mtime = { seconds: this.#below(2 ** 32) - 1000, nanoseconds: this.#below(1e9) };
      const times = timespecs(null, mtime);
      const flags = file.AT_SYMLINK_NOFOLLOW;
      file.utimensat(this.#rootFd, withNul(path), times, flags);
    }
    this.#changed(path, stat);
  }

  #xattr(): void {
    const path = this.#entry();
    const stat = fs.lstatSync(this.#at(path));
    const fd = file.openat(this.#rootFd, withNul(path), file.O_PATH | file.O_NOFOLLOW, 0);
    const name = withNul(Buffer.from(`trusted.${this.#below(3)}`));
    const value = Buffer.alloc(this.#below(300), 9);
    if (this.#below(4) === 0) file.removexattr(file.descriptorPath(fd), name);
    else file.setxattr(file.descriptorPath(fd), name, value, value.length, 0);
    file.close(fd);
    this.#changed(path, stat);
  }

  #losesName(path: Uint8Array): void {
    const stat = fs.lstatSync(this.#at(path), { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isDirectory() && stat.nlink > 1) {
      this.#listener?.lostName(0, stat.ino);
    }
  }

  #changed(path: Uint8Array, stat: fs.Stats): void {
    if (stat.isDirectory()) this.#listener?.changedDirectory(0, path);
    else this.#listener?.changedFile(0, path, { inode: stat.ino, lengthBytes: 0 });
  }

  #added(path: Uint8Array): void {
    this.#listener?.changedDirectory(0, splitPath(path).directory);
    this.#listener?.changedSubtree(0, path);
  }

  #removed(path: Uint8Array): void {
    this.#listener?.changedDirectory(0, splitPath(path).directory);
  }
}
