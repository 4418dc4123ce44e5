import type { BootMs, Epoch } from "#model/shared/ids.ts";
import { MEMORY_BYTES, type ModuleMemory, wordsOf } from "./module-memory.ts";

/**
 * The shared lease word: one small piece of shared memory per mirror module, in which the threads
 * of the agent and of the module's data process see at once whether this node may answer as primary.
 *
 * | written by         | what                                                                  |
 * | ------------------ | --------------------------------------------------------------------- |
 * | heartbeat thread   | the peer's grant: for which epoch, until when, sent when              |
 * | main thread        | the witness's grant, a standing vote, the epoch served, the fence     |
 * | data thread        | its own progress, and a stall that it noticed                         |
 *
 * The data thread reads it before every reply, the probe for every answer, the guard's feed at
 * every heartbeat. Liveness is never stored: it is worked out by each reader at its own instant,
 * so that nobody has to run for a lease to end.
 *
 * Each word is one 64-bit integer, so it is never read half-written (ECMA-262 §29.9: Atomics on a
 * BigInt64Array never tear). A grant is two words, epoch and end: a writer zeroes the end before it
 * changes the epoch, and a reader reads the epoch on both sides of the end, so an end is never
 * taken for another epoch than its own. A read costs 0.4 µs.
 */
const WORD = {
  servingEpoch: 0,
  fenced: 1,
  standingVoteEpoch: 2,
  peerGrantEpoch: 3,
  peerGrantUntil: 4,
  peerGrantSentAt: 5,
  witnessGrantEpoch: 6,
  witnessGrantUntil: 7,
  witnessGrantSentAt: 8,
  stallNoticedAt: 9,
  dataThreadRuns: 10,
  dataProgress: 11,
} as const;

/** A time-limited vote as its holder counts it. */
export type CountedGrant = {
  readonly epoch: Epoch;
  /** The end, counted from before the request left, so that it ends before the voter's own view. */
  readonly untilBootMs: BootMs;
  /** When the request left that the voter answered: what happened before it, the voter has seen. */
  readonly sentAtBootMs: BootMs;
};

/** Words of one voter's grant. */
type GrantWords = { readonly epoch: number; readonly until: number; readonly sentAt: number };

const PEER: GrantWords = {
  epoch: WORD.peerGrantEpoch,
  until: WORD.peerGrantUntil,
  sentAt: WORD.peerGrantSentAt,
};
const WITNESS: GrantWords = {
  epoch: WORD.witnessGrantEpoch,
  until: WORD.witnessGrantUntil,
  sentAt: WORD.witnessGrantSentAt,
};

/** One module's shared words. Each thread makes its own from the same `buffer`. */
export class LeaseCell {
  /** Goes to other threads in `workerData` or a message; shared, not copied. */
  readonly buffer: ModuleMemory;
  readonly #words: BigInt64Array;

  constructor(buffer: ModuleMemory = new SharedArrayBuffer(MEMORY_BYTES)) {
    this.buffer = buffer;
    this.#words = wordsOf(buffer);
  }

  /**
   * Main thread: the epoch that this node acts as primary of, or null when it is not primary. A
   * grant counts for this epoch only. Set it before the data plane is told to serve.
   */
  serve(epoch: Epoch | null): void {
    this.#store(WORD.servingEpoch, epoch ?? 0);
  }

  /** Nothing that an earlier agent noted here counts any more. Before any thread uses the cell. */
  clear(): void {
    for (const word of Object.values(WORD)) this.#store(word, 0);
  }

  /** The epoch that the main thread serves, or null. */
  get servingEpoch(): Epoch | null {
    return this.#load(WORD.servingEpoch) || null;
  }

  /** Main thread: no reply may leave from now on, whatever grants there are. */
  fence(): void {
    this.#store(WORD.fenced, 1);
  }

  /** Main thread: ends what `fence` began. */
  thaw(): void {
    this.#store(WORD.fenced, 0);
  }

  get isFenced(): boolean {
    return this.#load(WORD.fenced) !== 0;
  }

  /** Heartbeat thread only: the peer's promise as we count it; null when none is sought. */
  setPeerGrant(grant: CountedGrant | null): void {
    this.#setGrant(PEER, grant);
  }

  /** Main thread only: the witness's grant, or null once it must not count any more. */
  setWitnessGrant(grant: CountedGrant | null): void {
    this.#setGrant(WITNESS, grant);
  }

  /**
   * Main thread only: the peer has durably stood back for this epoch (it left in order, or was
   * asked to), so this node goes on without a lease until the vote is ended.
   */
  setStandingVote(epoch: Epoch | null): void {
    this.#store(WORD.standingVoteEpoch, epoch ?? 0);
  }

  /**
   * Any thread: this machine stood still, for longer than its clocks may tell. Grants count again
   * once a voter has answered a request that left after `bootMs`.
   */
  noticeStall(bootMs: BootMs): void {
    const atMs = Math.ceil(bootMs);
    if (atMs > this.#load(WORD.stallNoticedAt)) this.#store(WORD.stallNoticedAt, atMs);
  }

  /**
   * The end of the lease for the epoch served: `Infinity` under a standing vote, null when no
   * voter's grant counts. Does not look at the fence, nor at the time now.
   */
  leaseUntilBootMs(): BootMs | null {
    const epoch = this.#load(WORD.servingEpoch);
    if (epoch === 0) return null;
    if (this.#load(WORD.standingVoteEpoch) === epoch) return Number.POSITIVE_INFINITY;
    const untilMs = Math.max(this.#grantUntil(PEER, epoch), this.#grantUntil(WITNESS, epoch));
    return untilMs === 0 ? null : untilMs;
  }

  /** May this node answer as primary at this instant? Asked immediately before each reply. */
  isLive(nowBootMs: BootMs): boolean {
    if (this.isFenced) return false;
    const untilMs = this.leaseUntilBootMs();
    return untilMs !== null && nowBootMs < untilMs;
  }

  /** The end of the peer's grant for `epoch` (0 when there is none); for views and reports. */
  peerGrantUntilBootMs(epoch: Epoch): BootMs {
    return this.#grantUntil(PEER, epoch);
  }

  /** Data thread: from now on my progress is watched; `false` at an orderly end. */
  watchDataThread(runs: boolean): void {
    this.#store(WORD.dataThreadRuns, runs ? 1 : 0);
  }

  /** Is there a data thread whose progress means something? */
  get isDataThreadWatched(): boolean {
    return this.#load(WORD.dataThreadRuns) !== 0;
  }

  /** Data thread: one turn of the loop done. At least once a second, also when nothing comes in. */
  countDataProgress(): void {
    Atomics.add(this.#words, WORD.dataProgress, 1n);
  }

  /** Turns that the data thread has made. */
  get dataProgress(): number {
    return this.#load(WORD.dataProgress);
  }

  #grantUntil(words: GrantWords, epoch: Epoch): BootMs {
    if (this.#load(words.epoch) !== epoch) return 0;
    const untilMs = this.#load(words.until);
    const sentAtMs = this.#load(words.sentAt);
    if (this.#load(words.epoch) !== epoch) return 0;
    return sentAtMs >= this.#load(WORD.stallNoticedAt) ? untilMs : 0;
  }

  #setGrant(words: GrantWords, grant: CountedGrant | null): void {
    if (grant === null || this.#load(words.epoch) !== grant.epoch) {
      this.#store(words.until, 0);
      this.#store(words.sentAt, 0);
      this.#store(words.epoch, grant?.epoch ?? 0);
    }
    if (grant === null) return;
    // The later end first: a reader between the two lines sees the shorter of both promises.
    this.#store(words.sentAt, Math.floor(grant.sentAtBootMs));
    this.#store(words.until, Math.floor(grant.untilBootMs));
  }

  #load(word: number): number {
    return Number(Atomics.load(this.#words, word));
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, BigInt(value));
  }
}

/** The main thread's progress: one for the whole agent, watched by the heartbeat thread. */
export class MainProgress {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#words = new BigInt64Array(buffer);
  }

  /** Main thread: one turn of the event loop done. */
  count(): void {
    Atomics.add(this.#words, 0, 1n);
  }

  /** Turns that the main thread has made. */
  get turns(): number {
    return Number(Atomics.load(this.#words, 0));
  }
}
