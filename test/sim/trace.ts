/**
 * What happened, for judges: one object an event, in the order of true time. The form is the one
 * that `--trace FILE` writes, one JSON object a line.
 */
export type TraceEvent =
  /** Granted by a majority. */
  | { readonly ev: "grant"; readonly node: string; readonly epoch: number }
  /** The data path of a node accepts operations, or no longer does. */
  | { readonly ev: "writable"; readonly node: string; readonly epoch: number; readonly on: boolean }
  /** The in-sync set as committed by a majority. */
  | { readonly ev: "insync"; readonly epoch: number; readonly set: readonly string[] }
  /** An operation is on a node's stable storage. */
  | { readonly ev: "durable"; readonly node: string; readonly op: number }
  /** The application was told that it is done. */
  | { readonly ev: "ack"; readonly node: string; readonly epoch: number; readonly op: number }
  /** A replicated operation changed that node's copy. */
  | { readonly ev: "apply"; readonly node: string; readonly epoch: number; readonly op: number }
  /** That node's copy of operations is gone; "*": of all. */
  | { readonly ev: "lose"; readonly node: string; readonly ops: readonly (number | "*")[] }
  /** Where clients are sent. */
  | { readonly ev: "vip"; readonly node: string | null }
  /** A connected majority holds an up-to-date node. */
  | { readonly ev: "healthy"; readonly on: boolean }
  /** A person accepted the loss of data. */
  | { readonly ev: "force"; readonly node: string; readonly epoch: number }
  /** Not for judges: what was done to the world, and what its parts said. */
  | { readonly ev: "fault"; readonly text: string }
  | { readonly ev: "note"; readonly text: string };

/** `module` where it is not the first one. */
export type Line = { readonly t: number; readonly module?: string } & TraceEvent;

const FIRST_MODULE = "shop";
/** Events that are shown when something was found. */
const LAST_MAX = 400;

export class Trace {
  readonly #last: Line[] = [];
  readonly #nowMs: () => number;
  readonly #write: ((line: string) => void) | null;
  #hash = 0x811c9dc5;

  constructor(nowMs: () => number, write: ((line: string) => void) | null) {
    this.#nowMs = nowMs;
    this.#write = write;
  }

  add(event: TraceEvent, moduleId = FIRST_MODULE): void {
    const t = Math.round(this.#nowMs() * 1000) / 1_000_000;
    const line: Line =
      moduleId === FIRST_MODULE ? { t, ...event } : { t, module: moduleId, ...event };
    this.#last.push(line);
    if (this.#last.length > 2 * LAST_MAX) this.#last.splice(0, LAST_MAX);
    if (event.ev !== "note") this.#mix(JSON.stringify(line));
    if (this.#write !== null) this.#write(JSON.stringify(line));
  }

  /** The newest events, oldest first. */
  last(count: number): readonly Line[] {
    return this.#last.slice(-count);
  }

  /** Of every event so far: equal for equal histories. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  #mix(text: string): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    }
    this.#hash = hash;
  }
}
