import type { EventDraft } from "#model/contract/events.ts";
import type { UnixMs } from "#model/shared/ids.ts";

/** What is kept while the control plane is away; the oldest go first, and that is told. */
const EVENTS_MAX = 2_000;
const SENTENCE_MAX = 900;

/**
 * Events of this node that the control plane has not confirmed yet. Each has an id, so that a
 * report whose answer was lost can be sent again without telling anything twice.
 */
export class EventOutbox {
  readonly #waiting: EventDraft[] = [];
  readonly #instanceId: string;
  readonly #nowMs: () => UnixMs;
  #number = 0;
  #dropped = 0;

  constructor(instanceId: string, nowMs: () => UnixMs) {
    this.#instanceId = instanceId;
    this.#nowMs = nowMs;
  }

  add(event: Omit<EventDraft, "id" | "atMs">): EventDraft {
    this.#number += 1;
    const id = `${this.#instanceId}.${this.#number}`;
    const draft = { ...event, id, atMs: this.#nowMs(), text: event.text.slice(0, SENTENCE_MAX) };
    this.#waiting.push(draft);
    if (this.#waiting.length > EVENTS_MAX) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    return draft;
  }

  /** The oldest events, at most `limit`; they stay until `confirm`. */
  take(limit: number): readonly EventDraft[] {
    if (this.#dropped > 0) {
      const text = `${this.#dropped} older events were dropped: the control plane was away too long`;
      this.#dropped = 0;
      this.add({ kind: "eventsDropped", severity: "E", text });
    }
    return this.#waiting.slice(0, limit);
  }

  confirm(events: readonly EventDraft[]): void {
    const ids = new Set(events.map((event) => event.id));
    const kept = this.#waiting.filter((event) => !ids.has(event.id));
    this.#waiting.splice(0, this.#waiting.length, ...kept);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }
}
