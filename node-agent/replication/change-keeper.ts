/**
 * A data thread's change record: what was touched since the last durable points, in memory (finely);
 * and, as primary, what is about to be touched (coarsely), which the peer is told in the stream, or
 * while there is none, the own disk. docs/REPLICATION.md has why this is enough to know, after the
 * death of one node, where the two copies may differ.
 *
 * A record that cannot be kept (the state directory's disk fails, too much changed) is given up,
 * durably, and the next resync compares everything and says why. One that cannot even be removed
 * would lie, so until it can be, nothing is touched any more.
 */

import { ChangeRecord, type PointId } from "#model/replication/change-record.ts";
import { type ByteRange, type InodeKey, NOTHING } from "#model/replication/dirty-set.ts";
import { type Fresh, HotPlaces, type Touch } from "#model/replication/hot-places.ts";
import { errnoName } from "../adapters/linux/errno.ts";
import type { ChangeGuard } from "../fuse/ports.ts";
import type { LogAppend, LogStart } from "./change-log-format.ts";
import type { ChangeStore } from "./change-store.ts";
import type { Operation, OperationSink } from "./operation.ts";

/** Written anew, without what was said twice, when it has grown to this. */
const LOG_BYTES_MAX = 32 * 1024 * 1024;
/** Places in the log; beyond it everything has to be compared. */
const PLACES_MAX = 131_072;

/**
 * `none`: nothing is written. `opening`: nothing may be touched until the log is there. `stuck`:
 * nor until it is gone.
 */
type LogState = "none" | "opening" | "open" | "stuck";

/** A point that this primary has begun. */
export type BegunPoint = { readonly point: PointId; readonly stamp: number };

export class ChangeKeeper implements ChangeGuard {
  readonly record = new ChangeRecord("its copy was not in sync since its agent started");
  readonly #store: ChangeStore;
  /** The record could not even be removed. */
  readonly #onStuck: (detail: string) => void;
  readonly #sink: OperationSink;
  readonly #hot = new HotPlaces();
  #state: LogState = "none";
  #durableTicket = 0;
  /** Up to here the peer has been told. */
  #peerTicket = 0;
  /** Of what it is being told, or need not be: it counts when all before it has arrived. */
  #toldTicket = 0;
  /** Tellings that are on their way. */
  #untold = 0;
  #neededTicket = 0;
  #isFlushing = false;
  /** One log is written anew at a time; what else is to be written waits here. */
  #isReplacing = false;
  #waiting: (() => void)[] = [];
  /** A point has been begun, from which on a log that is not there yet will tell. */
  #hasBegun = false;
  /** A strict log becomes a lax one only when that is on the disk. */
  #isLaxWanted = false;

  constructor(store: ChangeStore, sink: OperationSink, onStuck: (detail: string) => void) {
    this.#store = store;
    this.#sink = sink;
    this.#onStuck = onStuck;
  }

  /** What is about to be touched is told to the peer first, if there is anything to tell at all. */
  get isTogether(): boolean {
    return this.#state === "none" || !this.#hot.isStrict;
  }

  /** This node serves: from its memory as secondary, or from what its disk kept. */
  lead(isAlone: boolean): void {
    if (this.record.whyNone !== null) this.#restore();
    const { whyNone } = this.record;
    this.#hot.isStrict = isAlone;
    if (whyNone !== null) {
      this.giveUp(whyNone);
      return;
    }
    this.#hot.restore(this.record.all());
    this.#state = "opening";
    this.#whenFree(() => this.#replace(this.record.points, () => this.#open()));
  }

  /** The peer is not required any more: only this log knows what it misses. */
  alone(): void {
    this.#isLaxWanted = false;
    if (this.#hot.isStrict) return;
    this.#hot.isStrict = true;
    this.#neededTicket = this.#hot.mark();
    this.#append({ isStrict: true });
    this.#flush();
  }

  /** The peer must acknowledge again. */
  together(): void {
    this.#isLaxWanted = true;
    if (!this.#hot.isStrict || this.#state !== "open") return;
    this.#append({ isStrict: false });
    this.#store.flush((result) => {
      if (result < 0) this.#fail("append", result);
      else if (this.#isLaxWanted) {
        this.#hot.isStrict = false;
        // The peer has been told of nothing so far.
        this.#hot.forgetAnnounced();
      }
    });
  }

  /** Primary: an instant that may become a durable point. */
  beginPoint(point: PointId): BegunPoint {
    this.#hasBegun = true;
    this.record.begin(point);
    const stamp = this.#hot.beginPoint();
    this.#append({ point });
    return { point, stamp };
  }

  /** Primary: both nodes have everything up to `begun` on their disks; `done` when that is noted. */
  commitPoint({ point, stamp }: BegunPoint, done: () => void): void {
    this.#whenFree(() => {
      if (!this.record.points.includes(point)) {
        done();
        return;
      }
      if (this.#state !== "open") this.#state = "opening";
      this.#isReplacing = true;
      this.#store.mark(point, (marked) => {
        this.#isReplacing = false;
        // It may have been given up meanwhile, and begun anew.
        if (marked < 0 || !this.record.points.includes(point)) {
          if (marked < 0) this.#fail("mark", marked);
          done();
          this.#waiting.shift()?.();
          return;
        }
        this.#hot.settle(stamp);
        this.#replace([point], (isWritten) => {
          if (isWritten) {
            this.record.settle(point);
            this.#open();
          }
          done();
        });
      });
    });
  }

  /** Secondary: the copy is equal at `point`, and everything that is applied from now on is noted. */
  follow(point: PointId): void {
    this.#state = "none";
    this.record.restore([point], NOTHING);
  }

  /** Secondary: everything up to `point` is on this disk; the primary holds `settled` for good. */
  notePoint(point: PointId, done: (result: number) => void): void {
    this.#whenFree(() => {
      this.#isReplacing = true;
      const end = (result: number): void => {
        this.#isReplacing = false;
        done(result);
        this.#waiting.shift()?.();
      };
      // The mark of the directories says which of these it is.
      const { points } = this.record;
      const start: LogStart = { role: "secondary", points, isStrict: true, changes: NOTHING };
      this.#store.replace(start, (result) => {
        if (result < 0) end(result);
        else this.#store.mark(point, end);
      });
    });
  }

  /** Secondary: this copy is about to be overwritten by a resync. */
  beginResync(): void {
    this.record.lose("a resync into its copy did not end");
  }

  announce(touches: readonly Touch[]): boolean {
    if (this.#state === "none" && !this.#hasBegun) return true;
    let ticket = this.#hot.isStrict ? this.#neededTicket : 0;
    for (const touch of touches) {
      if (touch.kind !== "moves") ticket = Math.max(ticket, this.#hot.touch(touch));
    }
    if (!this.#hasArrived(ticket)) return false;
    // Only now, as a request that waits is announced again: what moves makes known places unknown,
    // so that each announcement would need another, without end.
    for (const touch of touches) if (touch.kind === "moves") this.#hot.touch(touch);
    return true;
  }

  born(tree: number, inode: InodeKey): void {
    this.#hot.born(tree, inode);
  }

  get #isKept(): boolean {
    return this.#state === "open" || this.#state === "opening";
  }

  #hasArrived(ticket: number): boolean {
    const fresh = this.#hot.takeFresh();
    if (fresh !== null) this.#append({ changes: fresh });
    if (fresh !== null && this.#isKept && !this.#hot.isStrict) this.#tellPeer(fresh);
    if (this.#hot.size > PLACES_MAX) this.giveUp("more changed than a record can hold");
    if (this.#state === "stuck") this.#remove();
    if (this.#state === "none") return true;
    if (this.#state !== "open") return false;
    if (this.#store.sizeBytes > LOG_BYTES_MAX && !this.#isReplacing) {
      this.#replace(this.record.points, () => undefined);
    }
    if (!this.#hot.isStrict) return ticket <= this.#peerTicket;
    if (ticket <= this.#durableTicket) return true;
    this.#flush();
    return false;
  }

  #tellPeer(fresh: Fresh): void {
    const ticket = this.#hot.lastTicket;
    this.#toldTicket = ticket;
    const operations = announcementsOf(fresh);
    if (operations.length > 0) this.#untold += 1;
    // Nothing of it is the peer's business.
    else if (this.#untold === 0) this.#peerTicket = ticket;
    operations.forEach((operation, at) => {
      const isLast = at === operations.length - 1;
      const done = (): void => {
        this.#untold -= 1;
        const known = this.#untold === 0 ? this.#toldTicket : ticket;
        this.#peerTicket = Math.max(this.#peerTicket, known);
      };
      this.#sink.submit(operation, isLast ? done : undefined);
    });
  }

  #append(append: LogAppend): void {
    if (!this.#isKept && !this.#isReplacing) return;
    const written = this.#store.append(append);
    if (written < 0) this.#fail("append", written);
  }

  #flush(): void {
    if (this.#isFlushing || this.#state !== "open") return;
    this.#isFlushing = true;
    const upTo = this.#hot.lastTicket;
    this.#store.flush((result) => {
      this.#isFlushing = false;
      if (result < 0) this.#fail("flush", result);
      else this.#durableTicket = Math.max(this.#durableTicket, upTo);
    });
  }

  #whenFree(run: () => void): void {
    if (this.#isReplacing) this.#waiting.push(run);
    else run();
  }

  #open(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    if (this.#isLaxWanted) this.together();
  }

  /** Writes the log anew. */
  #replace(points: readonly PointId[], done: (isWritten: boolean) => void): void {
    this.#isReplacing = true;
    const upTo = this.#hot.lastTicket;
    const changes = this.#hot.snapshot();
    const start: LogStart = { role: "primary", points, isStrict: this.#hot.isStrict, changes };
    this.#store.replace(start, (result) => {
      this.#isReplacing = false;
      if (result < 0) this.#fail("replace", result);
      else this.#durableTicket = Math.max(this.#durableTicket, upTo);
      done(result === 0);
      this.#waiting.shift()?.();
    });
  }

  #restore(): void {
    const found = this.#store.read();
    if (found.kind === "none") {
      this.record.lose(found.why);
      return;
    }
    const { role, isStrict, points, changes } = found.record;
    if (role === "secondary") {
      this.record.lose("its agent was restarted, and a secondary keeps its record in memory");
    } else if (!isStrict && !found.isSameBoot) {
      this.record.lose("its OS died while both copies were in sync");
    } else {
      this.record.restore(points, changes);
    }
  }

  #fail(what: string, result: number): void {
    this.giveUp(`the record could not be kept (${what}: ${errnoName(-result)})`);
  }

  /** Where the copies may differ can no longer be told; durable. */
  giveUp(why: string): void {
    this.record.lose(why);
    this.#hot.restore(NOTHING);
    this.#hasBegun = false;
    const removed = this.#remove();
    if (removed < 0)
      this.#onStuck(`the record of changes cannot be removed: ${errnoName(removed)}`);
  }

  #remove(): number {
    const removed = this.#store.remove();
    this.#state = removed < 0 ? "stuck" : "none";
    return removed;
  }
}

const NO_CONTENT: ByteRange = { startBytes: 0, endBytes: 0 };

/** The same as operations of the stream. */
function announcementsOf({ entries, lostNames, everything }: Fresh): Operation[] {
  const touch = (
    what: Extract<Operation, { kind: "touch" }>["what"],
    { tree, path }: { readonly tree: number; readonly path: Uint8Array },
    { startBytes, endBytes }: ByteRange = NO_CONTENT,
  ): Operation => {
    const end = Math.min(endBytes, Number.MAX_SAFE_INTEGER);
    return { kind: "touch", tree, path, what, startBytes, endBytes: end };
  };
  const told = lostNames.map((place) => touch("sought", place));
  for (const entry of entries) {
    if (entry.listing) told.push(touch("names", entry));
    if (entry.subtree) told.push(touch("all", entry));
    if (entry.inodes.length === 0) continue;
    const ranges = entry.ranges.length === 0 ? [NO_CONTENT] : entry.ranges;
    for (const range of ranges) told.push(touch("content", entry, range));
  }
  if (everything) told.push(touch("everything", { tree: 0, path: new Uint8Array() }));
  return told;
}
