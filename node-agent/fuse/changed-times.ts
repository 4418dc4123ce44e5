/**
 * Modification times. Each node's kernel stamps a file when it writes it, so the two copies differ
 * by the time the operation took to arrive. Sending the time with every write would double the
 * operations; instead a changed file is remembered here and its time is sent when it is fsynced,
 * and every 100 ms or so: once the stream is quiet both copies agree to the nanosecond.
 */
import { Stat } from "../adapters/linux/stat.ts";
import type { OperationSink } from "../replication/operation.ts";
import type { Bindings } from "./bindings.ts";
import type { InodeTable, Node } from "./inode-table.ts";

const CHANGED_MAX = 1024;

export class ChangedTimes {
  readonly #nodes: InodeTable;
  readonly #bindings: Bindings;
  readonly #sink: OperationSink;
  readonly #stat = new Stat();
  readonly #changed = new Set<Node>();

  constructor(nodes: InodeTable, bindings: Bindings, sink: OperationSink) {
    this.#nodes = nodes;
    this.#bindings = bindings;
    this.#sink = sink;
  }

  mark(node: Node): void {
    if (node.hasChangedTimes) return;
    node.hasChangedTimes = true;
    this.#changed.add(node);
  }

  /**
   * Bounds what is remembered. Between two requests only: within one, a time would go out before
   * the change that made it, or before the file itself.
   */
  flushIfMany(): void {
    if (this.#changed.size >= CHANGED_MAX) this.flush();
  }

  flush(): void {
    if (this.#changed.size === 0) return;
    for (const node of this.#changed) this.flushOne(node);
  }

  flushOne(node: Node): void {
    if (!this.#take(node)) return;
    const id = this.#bindings.idOf(node);
    if (id <= 0) return;
    const fd = this.#nodes.descriptor(node);
    if (fd < 0 || this.#stat.of(fd) < 0) return;
    this.#sink.submit({ kind: "setattr", id, mtime: this.#stat.mtime });
  }

  /** Before the kernel's last reference goes. A file without a name needs no time. */
  forget(node: Node): void {
    if (node.isUnlinked) this.#take(node);
    else this.flushOne(node);
  }

  #take(node: Node): boolean {
    if (!node.hasChangedTimes) return false;
    node.hasChangedTimes = false;
    this.#changed.delete(node);
    return true;
  }
}
