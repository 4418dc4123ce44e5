/** Everything that handlers, arbiter and reconciler share: the ports, and what is built on them. */
import type { BlobStore, Clock, EventLog, Logger, Random, RecordStore, Timers } from "../ports.ts";
import { EventBook } from "./event-book.ts";
import { type Collections, openCollections } from "./records.ts";
import { Signals } from "./signals.ts";

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly records: RecordStore;
  readonly log: EventLog;
  readonly blobs: BlobStore;
  readonly logger: Logger;
}
export interface ControlPlane extends Ports, Collections {
  readonly storeId: string;
  readonly signals: Signals;
  readonly events: EventBook;
}

/** Builds what is shared. Does nothing by itself: no timer runs, no file is touched. */
export function openControlPlane(ports: Ports): ControlPlane {
  const signals = new Signals(ports.timers);
  return {
    ...ports,
    ...openCollections(ports.records),
    storeId: ports.records.storeId,
    signals,
    events: new EventBook(ports.log, signals, ports.clock),
  };
}
