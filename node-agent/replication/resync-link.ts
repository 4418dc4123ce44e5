/**
 * How a data thread and a resync thread of the same process talk: messages over a port, woken by
 * the loop's eventfd in one direction and by a futex (Atomics.wait) in the other, because neither
 * thread ever returns to an event loop. The resync thread calls and waits; the core answers
 * between two requests.
 */

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { ResyncPlan, TargetRecord } from "#model/replication/decide-resync.ts";
import type { DirtySnapshot } from "#model/replication/dirty-set.ts";
import { write } from "../adapters/linux/file.ts";
import type { ResyncProgress } from "../resync/resync.ts";
import type { PeerAddress, SessionKey } from "./engine.ts";
import type { Established } from "./pollable.ts";

/** The core answers within a turn of its loop; one that does not is gone. */
const ANSWER_MS_MAX = 10_000;
/** How often a waiting thread looks whether the run has been cancelled. */
const LOOK_MS = 50;
const ANSWERS = 0;
const CANCELLED = 1;
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);

/** Wakes the loop that polls this eventfd (eventfd(2)). */
export function wake(eventfd: number): void {
  write(eventfd, ONE, ONE.length);
}

export type TreeSpec = {
  readonly rootFd: number;
  readonly exclusions: readonly Uint8Array[];
};

/** What a resync thread is given; plain data. */
export type ResyncSpec = {
  readonly trees: readonly TreeSpec[];
  readonly wakeFd: number;
  readonly words: SharedArrayBuffer;
} & (
  | {
      readonly role: "source";
      readonly moduleId: string;
      readonly nodeId: string;
      readonly address: PeerAddress;
      readonly session: SessionKey;
      readonly bytesPerSecond: number | null;
      readonly userTimeoutMs: number;
    }
  | {
      readonly role: "target";
      readonly established: Established;
      readonly attachmentId: string;
      readonly stateDirectory: string;
    }
);

export type ResyncCall =
  | { readonly kind: "takeDirty" | "pause" | "resume" | "attach" }
  | { readonly kind: "plan"; readonly target: TargetRecord }
  | { readonly kind: "slow"; readonly milliseconds: number };
export type ResyncReport =
  | { readonly kind: "progress"; readonly progress: ResyncProgress }
  | { readonly kind: "finished"; readonly failure: ResyncFailure | null };

/** Why a run ended early. `errno`: what this node's own disk answered; null when it was not that. */
export type ResyncFailure = { readonly reason: string; readonly errno: number | null };
export type ResyncMessage = ResyncCall | ResyncReport;
export type ResyncAnswer = boolean | DirtySnapshot | ResyncPlan;
type Answered = { readonly answer: ResyncAnswer };

/** Shared words of one run: a count of answers to wait on, and the wish to end it. */
export const newResyncWords = (): SharedArrayBuffer => new SharedArrayBuffer(8);

/** A resync thread as the core's loop sees it. */
export interface ResyncLink {
  /** Takes what the resync thread said since; `answer` is called for each of its calls. */
  drain(take: (message: ResyncMessage) => ResyncAnswer | null): void;
  /** The run is to end; it says `finished` when it has. */
  cancel(): void;
  close(): void;
}

/** The core's end. */
export class ResyncWorkerLink implements ResyncLink {
  readonly #port: MessagePort;
  readonly #words: Int32Array;

  constructor(port: MessagePort, words: SharedArrayBuffer) {
    this.#port = port;
    this.#words = new Int32Array(words);
  }

  drain(take: (message: ResyncMessage) => ResyncAnswer | null): void {
    for (;;) {
      const received: { message: ResyncMessage } | undefined = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      const answer = take(received.message);
      if (answer !== null) this.#answer({ answer });
    }
  }

  cancel(): void {
    Atomics.store(this.#words, CANCELLED, 1);
  }

  close(): void {
    this.#port.close();
  }

  #answer(answer: Answered): void {
    this.#port.postMessage(answer);
    Atomics.add(this.#words, ANSWERS, 1);
    Atomics.notify(this.#words, ANSWERS);
  }
}

/** The resync thread's end. */
export class ResyncCoreLink {
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #wakeFd: number;

  constructor(port: MessagePort, words: SharedArrayBuffer, wakeFd: number) {
    this.#port = port;
    this.#words = new Int32Array(words);
    this.#wakeFd = wakeFd;
  }

  get isCancelled(): boolean {
    return Atomics.load(this.#words, CANCELLED) !== 0;
  }

  report(report: ResyncReport): void {
    this.#port.postMessage(report);
    wake(this.#wakeFd);
  }

  /** Null when the run was cancelled or the core did not answer: the run cannot go on. */
  call(call: ResyncCall): ResyncAnswer | null {
    const before = Atomics.load(this.#words, ANSWERS);
    this.#port.postMessage(call);
    wake(this.#wakeFd);
    for (let waitedMs = 0; waitedMs < ANSWER_MS_MAX; waitedMs += LOOK_MS) {
      const outcome = Atomics.wait(this.#words, ANSWERS, before, LOOK_MS);
      if (outcome !== "timed-out" || this.isCancelled) break;
    }
    const received: { message: Answered } | undefined = receiveMessageOnPort(this.#port);
    return received === undefined ? null : received.message.answer;
  }
}
