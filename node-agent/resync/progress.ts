/**
 * How far a resync has come, for people. The rate is over a sliding window, because a resync has
 * fast parts (equal data) and slow ones (different data); the time left counts a file as some
 * bytes, because a million empty files take time too, and is not guessed in the first seconds.
 */
import type { ResyncPhase, ResyncProgress } from "./resync.ts";

const WINDOW_MS = 10_000;
const SAMPLE_MS = 250;
const SILENT_MS = 5_000;
/** What handling one file costs, in bytes of content that could have been compared meanwhile. */
const FILE_COST_BYTES = 16 * 1024;

type Sample = { readonly atMs: number; readonly bytes: number; readonly cost: number };

/** Counts, and reports at most four times a second. */
export class Progress {
  readonly #nowMs: () => number;
  readonly #report: (progress: ResyncProgress) => void;
  readonly #startedAtMs: number;
  #samples: Sample[] = [];
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  phase: ResyncPhase = "counting";
  pass = 1;
  filesTotal = 0;
  filesChecked = 0;
  bytesTotal = 0;
  bytesChecked = 0;
  bytesSent = 0;
  waitsFor: ResyncProgress["waitsFor"] = null;
  comparison: ResyncProgress["comparison"] = null;

  constructor(nowMs: () => number, report: (progress: ResyncProgress) => void) {
    this.#nowMs = nowMs;
    this.#report = report;
    this.#startedAtMs = nowMs();
  }

  enter(phase: ResyncPhase): void {
    this.phase = phase;
    this.#publish(this.#nowMs());
  }

  /** Says what the run waits for while `wait` blocks. */
  whileWaiting<T>(waitsFor: NonNullable<ResyncProgress["waitsFor"]>, wait: () => T): T {
    this.waitsFor = waitsFor;
    this.tick();
    try {
      return wait();
    } finally {
      this.waitsFor = null;
    }
  }

  /** Called often; cheap when it is too early for a report. */
  tick(): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#reportedAtMs >= SAMPLE_MS) this.#publish(nowMs);
  }

  #publish(nowMs: number): void {
    this.#reportedAtMs = nowMs;
    const cost = this.bytesChecked + this.filesChecked * FILE_COST_BYTES;
    this.#samples.push({ atMs: nowMs, bytes: this.bytesChecked, cost });
    this.#samples = this.#samples.filter((sample) => sample.atMs >= nowMs - WINDOW_MS);
    this.#report(this.#now(nowMs, cost));
  }

  #now(nowMs: number, cost: number): ResyncProgress {
    const { phase, pass, comparison, filesChecked, bytesChecked, bytesSent, waitsFor } = this;
    // Later passes look at some things again, and at things that were not there to be counted.
    const filesTotal = Math.max(this.filesTotal, filesChecked);
    const bytesTotal = Math.max(this.bytesTotal, bytesChecked);
    const first = this.#samples[0];
    const seconds = first === undefined ? 0 : (nowMs - first.atMs) / 1000;
    const rate = (past: number, present: number) => (seconds > 0 ? (present - past) / seconds : 0);
    const costRate = rate(first?.cost ?? 0, cost);
    const costLeft = Math.max(0, bytesTotal + filesTotal * FILE_COST_BYTES - cost);
    // Only the first pass has a known total; the later ones depend on what the application does.
    const isKnown = phase === "comparing" && costRate > 0 && nowMs - this.#startedAtMs >= SILENT_MS;
    return {
      phase,
      pass,
      comparison,
      filesTotal,
      filesChecked,
      bytesTotal,
      bytesChecked,
      bytesSent,
      bytesPerSecond: Math.round(rate(first?.bytes ?? 0, bytesChecked)),
      secondsLeft: isKnown ? Math.ceil(costLeft / costRate) : null,
      waitsFor,
    };
  }
}
