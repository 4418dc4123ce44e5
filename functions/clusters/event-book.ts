/**
 * Writes events and reads them back. Every event of a cluster goes through here, so that each gets
 * its number, is durable before anyone hears of it, and wakes those who watch.
 */
import { EventRecord, type Severity } from "#model/contract/events.ts";
import type { Clock, EventLog } from "../ports.ts";
import { clusterTopic, type Signals } from "./signals.ts";

/** Entries kept per cluster: weeks of an ordinary cluster's life. */
export const EVENTS_KEPT_MAX = 50_000;

/** An event without its number. */
export type NewEvent = Omit<EventRecord, "seq" | "clusterId"> & {
  readonly dedupeKey?: string;
};
/** An event of the control plane itself, as of now. */
export interface OwnEvent {
  readonly kind: string;
  readonly severity: Severity;
  readonly text: string;
  readonly moduleId?: string;
  readonly nodeId?: string;
  readonly actor?: string;
  readonly data?: EventRecord["data"];
  readonly dedupeKey?: string;
}

export class EventBook {
  readonly #log: EventLog;
  readonly #signals: Signals;
  readonly #clock: Clock;

  constructor(log: EventLog, signals: Signals, clock: Clock) {
    this.#log = log;
    this.#signals = signals;
    this.#clock = clock;
  }

  /** Appends what others saw. */
  async append(clusterId: string, events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    const drafts = events.map(({ dedupeKey = null, ...event }) => {
      // Judged here, where its author can be found: an entry that cannot be read back would make
      // every later reader of the log fail.
      const { seq, ...judged } = EventRecord.parse({ ...clip(event), clusterId, seq: 1 });
      return { text: JSON.stringify(judged), dedupeKey };
    });
    await this.#log.append(clusterId, drafts);
    this.#signals.notify(clusterTopic(clusterId));
  }

  /** Appends something that the control plane did or saw itself. */
  async tell(clusterId: string, event: OwnEvent): Promise<void> {
    const { data, actor = "control-plane", ...rest } = event;
    const own = { ...rest, actor, atMs: this.#clock.nowMs(), offsetErrMs: 0 };
    await this.append(clusterId, [data === undefined ? own : { ...own, data }]);
  }

  async after(clusterId: string, seq: number, limit: number): Promise<readonly EventRecord[]> {
    const entries = await this.#log.after(clusterId, seq, limit);
    return entries.map((entry) => EventRecord.parse({ ...asObject(entry.text), seq: entry.seq }));
  }

  /** The newest events, oldest first. */
  async newest(clusterId: string, limit: number): Promise<readonly EventRecord[]> {
    const { lastSeq } = await this.#log.range(clusterId);
    return this.after(clusterId, Math.max(0, lastSeq - limit), limit);
  }

  range(clusterId: string): ReturnType<EventLog["range"]> {
    return this.#log.range(clusterId);
  }
}

/** Long words come from outside (a module's text, a person's reason): cut, not lost. */
function clip(event: Omit<NewEvent, "dedupeKey">): Omit<NewEvent, "dedupeKey"> {
  const cut = (value: string, charactersMax: number) => value.slice(0, charactersMax);
  const text = cut(event.text, 1000);
  const actor = cut(event.actor, 100);
  if (event.data === undefined) return { ...event, text, actor };
  const data = Object.fromEntries(
    Object.entries(event.data).map(([key, value]) => [
      key,
      typeof value === "string" ? cut(value, 500) : value,
    ]),
  );
  return { ...event, text, actor, data };
}

function asObject(text: string): object {
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null ? parsed : {};
}
