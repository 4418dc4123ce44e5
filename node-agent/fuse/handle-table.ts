/** Open files and directories: what the kernel's file handles (`fh`) stand for. */
import { close } from "../adapters/linux/file.ts";
import type { Node } from "./inode-table.ts";
import { EntryReader } from "./protocol/directory-entries.ts";

const ENTRIES_BYTES = 32 * 1024;

/** One open file. */
export class Handle {
  readonly fd: number;
  readonly node: Node;
  /** Calls on other threads that use `fd`: it is closed when the last has ended. */
  busy = 0;
  isReleased = false;
  /** Of a directory: what was read and not yet passed on. */
  listing: Listing | null = null;

  constructor(fd: number, node: Node) {
    this.fd = fd;
    this.node = node;
  }
}

/** A directory's read position; the kernel goes on where it stopped unless someone seeks. */
export class Listing {
  readonly buffer = new Uint8Array(ENTRIES_BYTES);
  readonly reader = new EntryReader(this.buffer);
  nextLow = 0;
  nextHigh = 0;
}

export class HandleTable {
  readonly #handles = new Map<number, Handle>();
  #last = 0;

  get size(): number {
    return this.#handles.size;
  }

  /** Takes over `fd`; the new handle's number. */
  add(fd: number, node: Node): number {
    this.#last += 1;
    this.#handles.set(this.#last, new Handle(fd, node));
    node.openCount += 1;
    return this.#last;
  }

  get(number: number): Handle | undefined {
    return this.#handles.get(number);
  }

  /** Any handle on `node` will do for reading what was written to it. */
  take(number: number): Handle | undefined {
    const handle = this.#handles.get(number);
    if (handle === undefined) return undefined;
    this.#handles.delete(number);
    handle.node.openCount -= 1;
    handle.isReleased = true;
    return handle;
  }

  closeAll(): void {
    for (const handle of this.#handles.values()) if (handle.busy === 0) close(handle.fd);
    this.#handles.clear();
  }
}
