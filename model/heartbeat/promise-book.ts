import type { BootMs, Epoch, ModuleId } from "#model/shared/ids.ts";

/**
 * Heartbeats, as rules without a clock or a socket.
 *
 * A primary A keeps its right to answer by a promise of its peer B. Each heartbeat of A asks for
 * one per module and epoch; B's acknowledgement says "until `leaseMs` after I received this I help
 * nobody else, myself included, to become primary". Two books follow from it: the giver's (this
 * file), which counts from receipt, and the holder's (grant-counter.ts), which counts a shorter
 * time from sending. So the holder's view ends first, whatever the network did to the datagrams.
 *
 * What is promised must be on the giver's disk before it is given: the caller opens a promise only
 * for an epoch, and of a length, that it has persisted.
 */
export type PromiseEntry = {
  /** The epoch whose primary we help; null: we promise nothing. */
  readonly epoch: Epoch | null;
  /** How long each renewal lasts: fixed when the promise is opened, as it had to be persisted. */
  readonly leaseMs: number;
  /** Until then the peer may still count on us; null when nothing was ever promised. */
  readonly lastPromiseEndsBootMs: BootMs | null;
  /** The longest promise given so far. */
  readonly longestPromiseMs: number;
};

/** What we promise, per module. */
export type PromiseBook = Readonly<Record<ModuleId, PromiseEntry>>;

/** One module that a heartbeat asks for. */
export type GrantAsk = { readonly moduleId: ModuleId; readonly epoch: Epoch };
/** One promise that an acknowledgement gives: its length, counted by each side on its own clock. */
export type GivenPromise = GrantAsk & { readonly promiseMs: number };

/** A book in which nothing is promised. */
export const EMPTY_BOOK: PromiseBook = {};

const NOTHING_PROMISED: PromiseEntry = {
  epoch: null,
  leaseMs: 0,
  lastPromiseEndsBootMs: null,
  longestPromiseMs: 0,
};

/** What is promised for a module; an entry without an epoch when nothing is. */
export const entryOf = (book: PromiseBook, moduleId: ModuleId): PromiseEntry =>
  book[moduleId] ?? NOTHING_PROMISED;

/** From now on the primary of `epoch` is helped, by renewals of `leaseMs`. */
export function openPromise(
  book: PromiseBook,
  moduleId: ModuleId,
  epoch: Epoch,
  leaseMs: number,
): PromiseBook {
  return { ...book, [moduleId]: { ...entryOf(book, moduleId), epoch, leaseMs } };
}

/** No promise is renewed from now on. What was promised stays promised until its end. */
export function closePromise(book: PromiseBook, moduleId: ModuleId): PromiseBook {
  return { ...book, [moduleId]: { ...entryOf(book, moduleId), epoch: null } };
}

/**
 * A heartbeat came in at `receivedAtBootMs`: renews what it asks for, for the epochs that are open
 * and for no other. An ask for an older epoch comes from a deposed primary, one for a newer epoch
 * from a primary that we have not voted for yet: neither may count on us.
 */
export function renewPromises(
  book: PromiseBook,
  asks: readonly GrantAsk[],
  receivedAtBootMs: BootMs,
): { readonly book: PromiseBook; readonly given: readonly GivenPromise[] } {
  const given: GivenPromise[] = [];
  let next = book;
  for (const { moduleId, epoch } of asks) {
    const entry = entryOf(next, moduleId);
    if (entry.epoch !== epoch) continue;
    const endsAtMs = receivedAtBootMs + entry.leaseMs;
    const renewed = {
      ...entry,
      lastPromiseEndsBootMs: Math.max(entry.lastPromiseEndsBootMs ?? 0, endsAtMs),
      longestPromiseMs: Math.max(entry.longestPromiseMs, entry.leaseMs),
    };
    next = { ...next, [moduleId]: renewed };
    given.push({ moduleId, epoch, promiseMs: entry.leaseMs });
  }
  return { book: next, given };
}
