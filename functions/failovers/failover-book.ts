/**
 * Keeps the events that pictures are made of at hand, so that a page that shows the last failover
 * does not read the whole log each second. Reads the log once, and then only what is new.
 */
import type { EventRecord } from "#model/contract/events.ts";
import type { FailoverPicture, FailoverSummary } from "#model/contract/failover.ts";
import type { EventBook } from "../clusters/event-book.ts";
import { failoverPictures, PICTURE_KINDS, summaryOf } from "./failover-picture.ts";

/** Events held per cluster; older failovers than these reach back to fall out of the list. */
const EVENTS_HELD_MAX = 5_000;
const PAGE = 1_000;

interface Shelf {
  lastSeq: number;
  events: EventRecord[];
  reading: Promise<void> | null;
  /** Pictures by module, valid for `lastSeq`. */
  pictures: Map<string, readonly FailoverPicture[]>;
}

export class FailoverBook {
  readonly #book: EventBook;
  readonly #shelves = new Map<string, Shelf>();

  constructor(book: EventBook) {
    this.#book = book;
  }

  /** Newest first. */
  async pictures(clusterId: string, moduleId: string): Promise<readonly FailoverPicture[]> {
    const shelf = this.#shelves.get(clusterId) ?? {
      lastSeq: 0,
      events: [],
      reading: null,
      pictures: new Map(),
    };
    this.#shelves.set(clusterId, shelf);
    shelf.reading ??= this.#read(clusterId, shelf).finally(() => {
      shelf.reading = null;
    });
    await shelf.reading;
    const made = shelf.pictures.get(moduleId) ?? failoverPictures(shelf.events, moduleId);
    shelf.pictures.set(moduleId, made);
    return made;
  }

  async summaries(clusterId: string, moduleId: string): Promise<readonly FailoverSummary[]> {
    return (await this.pictures(clusterId, moduleId)).map(summaryOf);
  }

  async #read(clusterId: string, shelf: Shelf): Promise<void> {
    for (;;) {
      const page = await this.#book.after(clusterId, shelf.lastSeq, PAGE);
      const last = page.at(-1);
      if (last === undefined) return;
      shelf.lastSeq = last.seq;
      const relevant = page.filter((event) => PICTURE_KINDS.has(event.kind));
      if (relevant.length === 0) continue;
      shelf.events.push(...relevant);
      shelf.events.splice(0, shelf.events.length - EVENTS_HELD_MAX);
      shelf.pictures.clear();
    }
  }
}
