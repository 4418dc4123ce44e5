import { Buffer } from "node:buffer";
import type { CoreContext } from "../../../node-agent/replication/core-context.ts";
import type { Established } from "../../../node-agent/replication/pollable.ts";
import type {
  ResyncAnswer,
  ResyncLink,
  ResyncMessage,
} from "../../../node-agent/replication/resync-link.ts";
import { SealedConnection } from "../../../node-agent/replication/sealed-connection.ts";
import type { Descriptors } from "../descriptors.ts";
import type { SimDisk } from "../sim-disk.ts";

/**
 * The two threads of a resync, in the shape of node-agent/resync: passes over what differs, each
 * followed by one over what was reported meanwhile; the last while the core is paused; then the
 * live stream is attached, and the target brings everything to its disk before it takes the mark
 * of a half-written copy away. Comparing and copying the files themselves is much simpler here.
 */

export type Job = Parameters<CoreContext["startResync"]>[0];

export type ResyncHost = {
  readonly disk: SimDisk;
  readonly bootId: string;
  readonly descriptors: Descriptors;
  /** On the thread of the resync: later, if the process still lives. */
  readonly after: (delayMs: number, run: () => void) => void;
  readonly nowMs: () => number;
  /** Wakes the core's loop. */
  readonly wake: () => void;
  /** What reading or comparing one file takes. */
  readonly fileMs: number;
  readonly onPhase: (phase: string) => void;
};

export type ResyncRecord =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly stamp: number;
      readonly cells: readonly (readonly [number, number])[];
    }
  | { readonly kind: "recordAsked" }
  | {
      readonly kind: "record";
      /** Null: none, and why. */
      readonly point: string | null;
      readonly why: string;
      /** Null: everything; the directory itself is the empty name. */
      readonly hot: readonly string[] | null;
    }
  | { readonly kind: "begin"; readonly isDelta: boolean }
  | { readonly kind: "finish" }
  /** `missing`: names that are not there. */
  | {
      readonly kind: "answer";
      readonly failure: string | null;
      readonly missing?: readonly string[];
    };

export const LOOK_MS = 5;
const SILENCE_MS_MAX = 30_000;

export const INCOMPLETE = "resync-incomplete";
export const JOINED = "copy-joined";

/** What both threads have in common: a link to the core, and a channel to each other. */
export abstract class ResyncRun implements ResyncLink {
  protected readonly host: ResyncHost;
  readonly #said: ResyncMessage[] = [];
  #onAnswer: ((answer: ResyncAnswer) => void) | null = null;
  #channel: SealedConnection | null = null;
  protected isCancelled = false;
  protected isOver = false;
  #heardMs: number;

  constructor(host: ResyncHost) {
    this.host = host;
    this.#heardMs = host.nowMs();
  }

  drain(take: (message: ResyncMessage) => ResyncAnswer | null): void {
    for (let said = this.#said.shift(); said !== undefined; said = this.#said.shift()) {
      const answer = take(said);
      const onAnswer = this.#onAnswer;
      if (answer === null || onAnswer === null) continue;
      this.#onAnswer = null;
      this.host.after(0.05, () => onAnswer(answer));
    }
  }

  cancel(): void {
    this.isCancelled = true;
  }

  close(): void {
    this.isCancelled = true;
  }

  protected call(message: ResyncMessage, then: (answer: ResyncAnswer) => void): void {
    this.#onAnswer = then;
    this.#said.push(message);
    this.host.wake();
  }

  /** `errno`: of this node's own disk. */
  protected finish(reason: string | null, errno: number | null = null): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#channel?.close();
    this.#said.push({ kind: "finished", failure: reason === null ? null : { reason, errno } });
    this.host.wake();
  }

  protected open({ fd, sendKey, receiveKey }: Established): void {
    this.#channel = new SealedConnection(this.host.descriptors, fd, sendKey, receiveKey);
    this.#listen();
  }

  protected send(record: ResyncRecord): void {
    const sent = this.#channel?.send(Buffer.from(JSON.stringify(record)));
    if (sent?.ok === false) this.finish(sent.error.reason);
  }

  protected abstract take(record: ResyncRecord): void;

  #listen(): void {
    this.host.after(LOOK_MS, () => {
      const channel = this.#channel;
      if (channel === null || this.isOver) return;
      if (this.isCancelled) {
        this.finish("cancelled");
        return;
      }
      const read = channel.read((record) => {
        this.#heardMs = this.host.nowMs();
        this.take(JSON.parse(record.toString()));
        return !this.isOver;
      });
      if (!read.ok) {
        this.finish(read.error.reason);
        return;
      }
      if (this.host.nowMs() - this.#heardMs > SILENCE_MS_MAX) {
        this.finish("timedOut");
        return;
      }
      this.#listen();
    });
  }
}
