/**
 * Keeps one cluster's state fresh. A stream while the page is looked at; a poll while it is hidden
 * (a browser gives one host six connections, and a seventh tab would get none) or while the control
 * plane has no stream to give. Whatever breaks, it goes on from the last event it has, so nothing
 * is missed and nothing comes twice.
 */
import { EventRecord } from "#model/contract/events.ts";
import { Change, Changes, ClusterSnapshot } from "#model/contract/snapshot.ts";
import { type ApiClient, type ApiProblem, clusterPath } from "./client.ts";
import {
  type ClusterState,
  fromSnapshot,
  withChange,
  withEvent,
  withPoll,
} from "./cluster-state.ts";
import { type FeedLink, POLL_MS, SILENCE_MS_MAX } from "./liveness.ts";
import { FrameReader, type StreamFrame } from "./server-sent-events.ts";

/** What the feed needs of the browser. */
export interface FeedPorts {
  readonly api: ApiClient;
  readonly nowMs: () => number;
  readonly isHidden: () => boolean;
  /** Resolves after so long, or at once when the page is shown or hidden, or the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}
export interface FeedView {
  /** Null before the first answer. */
  readonly state: ClusterState | null;
  readonly link: FeedLink;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 5_000;
/** A hidden page wants its title right, not its figures. */
const HIDDEN_POLL_MS = 15_000;
/** Polls before a stream is tried again, when there are too many streams. */
const POLLS_BETWEEN_STREAMS = 12;

type End = { readonly kind: "ended" } | { readonly kind: "failed"; readonly problem: ApiProblem };

export class ClusterFeed {
  readonly #clusterId: string;
  readonly #ports: FeedPorts;
  readonly #listeners = new Set<() => void>();
  #view: FeedView = { state: null, link: { kind: "connecting", heardAtMs: null, problem: null } };

  constructor(clusterId: string, ports: FeedPorts) {
    this.#clusterId = clusterId;
    this.#ports = ports;
  }

  /** What is known now; the same object until something changes. */
  readonly view = (): FeedView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const end = this.#ports.isHidden() ? await this.#poll() : await this.#stream(signal);
      if (signal.aborted) return;
      if (end.kind === "failed" && isCrowded(end.problem)) {
        await this.#pollForAWhile(signal);
        continue;
      }
      if (end.kind === "failed") this.#set({ kind: "broken", problem: end.problem });
      failures = end.kind === "failed" ? failures + 1 : 0;
      const retryMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures, 8));
      const calmMs = this.#ports.isHidden() ? HIDDEN_POLL_MS : RETRY_MS_MIN;
      await this.#ports.pause(end.kind === "failed" ? retryMs : calmMs, signal);
    }
  }

  async #pollForAWhile(signal: AbortSignal): Promise<void> {
    for (let poll = 0; poll < POLLS_BETWEEN_STREAMS && !signal.aborted; poll += 1) {
      const end = await this.#poll();
      if (end.kind === "failed") return;
      await this.#ports.pause(POLL_MS, signal);
    }
  }

  async #poll(): Promise<End> {
    const { state } = this.#view;
    const query = state === null ? "" : `?after=${state.seq}&revision=${state.revision}`;
    const path = `${clusterPath(this.#clusterId)}/changes${query}`;
    const answer = await this.#ports.api.get(path, Changes);
    if (!answer.ok) return { kind: "failed", problem: answer.error };
    const next = withPoll(state, answer.value, this.#ports.nowMs());
    // What does not continue what we have is no use: begin again with everything.
    this.#set({ kind: "polling", problem: null }, next.ok ? next.value : null);
    return { kind: "ended" };
  }

  async #stream(signal: AbortSignal): Promise<End> {
    const { state } = this.#view;
    const query = state === null ? "" : `?after=${state.seq}&revision=${state.revision}`;
    const path = `${clusterPath(this.#clusterId)}/stream${query}`;
    const line = new AbortController();
    const hangUp = () => line.abort();
    signal.addEventListener("abort", hangUp, { once: true });
    const watch = this.#watch(line);
    try {
      const opened = await this.#ports.api.stream(path, line.signal);
      if (!opened.ok) return { kind: "failed", problem: opened.error };
      return await this.#readStream(opened.value, line.signal);
    } catch {
      return { kind: "failed", problem: { kind: "unreachable" } };
    } finally {
      line.abort();
      signal.removeEventListener("abort", hangUp);
      await watch;
    }
  }

  /** Hangs up on a line that says nothing for too long, and when the page is hidden. */
  async #watch(line: AbortController): Promise<void> {
    const openedAtMs = this.#ports.nowMs();
    while (!line.signal.aborted) {
      await this.#ports.pause(1_000, line.signal);
      const heardAtMs = Math.max(openedAtMs, this.#view.link.heardAtMs ?? 0);
      const isSilent = this.#ports.nowMs() - heardAtMs > SILENCE_MS_MAX;
      if (isSilent || this.#ports.isHidden()) line.abort();
    }
  }

  async #readStream(answer: Response, line: AbortSignal): Promise<End> {
    const reader = answer.body?.getReader();
    if (reader === undefined) return { kind: "failed", problem: { kind: "malformed" } };
    // A read that waits would else wait for ever, wherever the body is not tied to the signal.
    const hangUp = () => void reader.cancel().catch(() => {});
    line.addEventListener("abort", hangUp, { once: true });
    const decoder = new TextDecoder();
    const frames = new FrameReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { kind: "failed", problem: { kind: "unreachable" } };
      let state = this.#view.state;
      for (const frame of frames.read(decoder.decode(value, { stream: true }))) {
        const next = this.#withFrame(state, frame);
        if (next === "malformed") return { kind: "failed", problem: { kind: "malformed" } };
        // Opening again from the last event we have brings what is missing.
        if (next === "gap") return { kind: "failed", problem: { kind: "unreachable" } };
        state = next;
      }
      this.#set({ kind: "streaming", problem: null }, state);
    }
  }

  #withFrame(
    state: ClusterState | null,
    { event: kind, data }: StreamFrame,
  ): ClusterState | null | "gap" | "malformed" {
    const value = parseJson(data);
    if (kind === "snapshot") {
      const snapshot = ClusterSnapshot.safeParse(value);
      return snapshot.success ? fromSnapshot(snapshot.data, this.#ports.nowMs()) : "malformed";
    }
    if (kind === "event") {
      const event = EventRecord.safeParse(value);
      if (!event.success) return "malformed";
      const next = state === null ? null : withEvent(state, event.data);
      return next?.ok === true ? next.value : "gap";
    }
    if (kind === "change") {
      const change = Change.safeParse(value);
      if (!change.success) return "malformed";
      return state === null ? "gap" : withChange(state, change.data);
    }
    // A newer control plane may say more; what we do not know does not concern us.
    return state;
  }

  #set(
    link: Pick<FeedLink, "kind" | "problem">,
    state: ClusterState | null = this.#view.state,
  ): void {
    const isHeard = link.kind === "streaming" || link.kind === "polling";
    const heardAtMs = isHeard ? this.#ports.nowMs() : this.#view.link.heardAtMs;
    this.#view = { state, link: { ...link, heardAtMs } };
    for (const listener of this.#listeners) listener();
  }
}

const isCrowded = (problem: ApiProblem): boolean =>
  problem.kind === "refused" && problem.code === "tooMany";

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
