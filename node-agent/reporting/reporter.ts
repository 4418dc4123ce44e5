import type { NodeReport } from "#model/contract/report.ts";
import type { AnswerWatch } from "../control-plane/answer-watch.ts";
import { type ControlPlaneClient, describeFailure } from "../control-plane/client.ts";
import type { EventOutbox } from "./event-outbox.ts";

export type ReporterOptions = {
  readonly client: Pick<ControlPlaneClient, "report">;
  readonly events: Pick<EventOutbox, "confirm" | "hasWaiting">;
  /** This node as it is now, with the events that were not confirmed yet. */
  report(): Promise<NodeReport>;
  /** Around that long: many nodes are not to come back at the same moment. */
  spread(durationMs: number): number;
  readonly watch: Pick<AnswerWatch, "answered" | "unanswered">;
  log(text: string): void;
};

const SOON_MS = 40;
const AGAIN_MS = 1_000;

/**
 * Tells the control plane how this node is: at once when something has changed, else as often as
 * the control plane wishes. Never two reports at a time, so that none overtakes a newer one.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  #timer: NodeJS.Timeout | null = null;
  #dueMs = Number.POSITIVE_INFINITY;
  /** After a report that failed: whatever changes meanwhile, a control plane in need is left alone. */
  #notBeforeMs = 0;
  #isReporting = false;
  #isStopped = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Something changed that people should see at once; several changes make one report. */
  soon(): void {
    this.#in(SOON_MS);
  }

  /** No more of its own; `now` still tells the last word. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async now(): Promise<void> {
    const { client, events, log, report, spread, watch } = this.#options;
    this.#isReporting = true;
    try {
      const told = await report();
      const answer = await client.report(told);
      if (answer.ok) {
        events.confirm(told.events);
        watch.answered();
        this.#in(events.hasWaiting ? SOON_MS : answer.value.nextReportMs);
      } else {
        log(`D report: ${describeFailure(answer.error)}`);
        const pauseMs = spread(AGAIN_MS);
        this.#notBeforeMs = performance.now() + pauseMs;
        watch.unanswered(answer.error);
        this.#in(pauseMs);
      }
    } finally {
      this.#isReporting = false;
    }
  }

  #in(delayMs: number): void {
    if (this.#isStopped) return;
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs + delayMs, this.#notBeforeMs);
    if (dueMs >= this.#dueMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      if (this.#isReporting) this.#in(SOON_MS);
      else void this.now();
    }, dueMs - nowMs);
  }
}
