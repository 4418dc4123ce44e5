/** The stream of one reader (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { revisionOf } from "../clusters/live-views.ts";
import { clusterTopic } from "../clusters/signals.ts";
import type { LogRange } from "../ports.ts";
import type { ApiParts } from "./api-parts.ts";

/** A comment this often keeps proxies from closing, and lets the reader notice a dead line. */
const PING_MS = 15_000;
/** The view is looked at this often even without a signal: a node falls silent without one. */
const LOOK_MS = 1_000;
/** Changes closer together than this travel together. */
const GATHER_MS = 50;
const EVENTS_PER_TURN_MAX = 500;

export interface StreamOptions {
  readonly clusterId: string;
  /** The last event the reader has; undefined for a new one. */
  readonly after: number | undefined;
  readonly signal: AbortSignal;
  readonly isStillAllowed: () => Promise<boolean>;
  readonly onEnd: () => void;
}

/** Can a reader who has everything up to `after` go on from there? */
export const isResumable = (after: number, { firstSeq, lastSeq }: LogRange): boolean =>
  after >= firstSeq - 1 && after <= lastSeq;

/** Frames as the reader takes them: nothing is made before it is asked for. */
export function clusterStream(parts: ApiParts, options: StreamOptions): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const onAbort = () => gone.abort();
  options.signal.addEventListener("abort", onAbort, { once: true });
  const frames = makeFrames(parts, options, gone.signal);
  const encoder = new TextEncoder();
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    options.signal.removeEventListener("abort", onAbort);
    gone.abort();
    options.onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await frames.next();
          if (!done && !gone.signal.aborted) return controller.enqueue(encoder.encode(value));
        } catch (thrown) {
          parts.cp.logger.log("E", `stream of ${options.clusterId}: ${String(thrown)}`);
        }
        end();
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

const frame = (event: string, value: unknown, id?: number): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;

async function* makeFrames(
  { cp, live }: ApiParts,
  { clusterId, after, isStillAllowed }: StreamOptions,
  gone: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const topic = clusterTopic(clusterId);
  let seq = after;
  let revision = 0;
  let saidAtMs = cp.clock.nowMs();
  yield "retry: 2000\n\n";
  while (!gone.aborted && !cp.signals.isClosed) {
    const generation = cp.signals.generation(topic);
    let text = "";
    if (seq === undefined || !isResumable(seq, await cp.events.range(clusterId))) {
      const snapshot = await live.snapshot(clusterId);
      if (snapshot === null) return;
      ({ lastSeq: seq, revision } = snapshot);
      text += frame("snapshot", snapshot, seq);
    }
    for (const event of await cp.events.after(clusterId, seq, EVENTS_PER_TURN_MAX)) {
      seq = event.seq;
      text += frame("event", event, seq);
    }
    const changes = await live.changes(clusterId, revision);
    if (changes === null) return;
    for (const change of changes) text += frame("change", change);
    revision = revisionOf(changes, revision);
    const nowMs = cp.clock.nowMs();
    if (text === "" && nowMs - saidAtMs >= PING_MS) {
      // Whoever was shut out meanwhile hears no more.
      if (!(await isStillAllowed())) return;
      text = ": ping\n\n";
    }
    if (text !== "") {
      saidAtMs = nowMs;
      yield text;
      await cp.signals.wait(`gather/${topic}`, 0, GATHER_MS, gone);
    }
    await cp.signals.wait(topic, generation, LOOK_MS, gone);
  }
}
