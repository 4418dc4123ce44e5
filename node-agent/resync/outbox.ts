/**
 * The source's end of the channel: packs messages into records, keeps a few questions under way so
 * that both nodes read and hash at the same time, and hands each answer to whoever asked.
 *
 * At most `QUESTIONS_MAX` answers of at most a few hundred bytes are ever under way, far below the
 * 64 KiB that the channel takes without the reader's help: the two sides cannot block each other
 * in `send`.
 */
import type { Bandwidth } from "./bandwidth.ts";
import type { Progress } from "./progress.ts";
import { RECORD_BYTES_MAX, type RecordChannel, type ResyncClock } from "./resync.ts";
import { Stop } from "./stop.ts";
import { decodeRecord, type SourceMessage, type TargetMessage, writeMessage } from "./wire.ts";
import { RecordWriter } from "./wire-bytes.ts";

const QUESTIONS_MAX = 4;
/** The longest message (a list, see source-walk.ts) fits into what a record has left below this. */
const FLUSH_BYTES = 384 * 1024;
const POLL_MS = 200;
/** Longest silence while the target compares at most a few times 32 MiB, on a slow disk. */
const ANSWER_MS_MAX = 120_000;
/** syncfs(2) on a slow disk with all of its memory dirty. */
const FINISH_MS_MAX = 1_800_000;

export type Answer = Exclude<TargetMessage, { kind: "fault" }>;
type Pending =
  | { readonly kind: "question"; readonly answered: (answer: Answer) => void }
  | { readonly kind: "then"; readonly run: () => void };

export type OutboxOptions = {
  readonly channel: RecordChannel;
  readonly bandwidth: Bandwidth;
  readonly clock: ResyncClock;
  readonly progress: Progress;
  readonly isCancelled: () => boolean;
};

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #writer = new RecordWriter(RECORD_BYTES_MAX);
  #pending: Pending[] = [];
  #questions = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Sends a message that has no answer, some time before the next answer is awaited. */
  post(message: SourceMessage): void {
    if (this.#writer.length > FLUSH_BYTES) this.#flush();
    writeMessage(this.#writer, message);
  }

  /**
   * Sends a question; `answered` runs later, in the order of the questions, from within `ask`,
   * `drain` or `settle`. It may `post` and `then`, but not `ask`.
   */
  ask(message: SourceMessage, answered: (answer: Answer) => void): void {
    while (this.#questions >= QUESTIONS_MAX) this.#awaitAnswer(ANSWER_MS_MAX);
    this.post(message);
    // The target gets to work while the source prepares the next question.
    this.#flush();
    this.#pending.push({ kind: "question", answered });
    this.#questions += 1;
  }

  /** Runs after the answers to all questions asked so far have been handled. */
  after(run: () => void): void {
    if (this.#questions === 0) run();
    else this.#pending.push({ kind: "then", run });
  }

  /** Waits for every answer. */
  drain(): void {
    while (this.#questions > 0) this.#awaitAnswer(ANSWER_MS_MAX);
    this.#flush();
  }

  /** Asks alone and waits: for the messages at the joints of a run. */
  settle(message: SourceMessage): Answer {
    this.drain();
    const answers: Answer[] = [];
    this.ask(message, (answer) => answers.push(answer));
    const patienceMs = message.kind === "finish" ? FINISH_MS_MAX : ANSWER_MS_MAX;
    while (answers[0] === undefined) this.#awaitAnswer(patienceMs);
    return answers[0];
  }

  #flush(): void {
    this.#stopIfCancelled();
    if (this.#writer.length === 0) return;
    const { channel, bandwidth, progress } = this.#options;
    const record = this.#writer.take();
    progress.bytesSent += record.length;
    channel.send(record);
    const waitMs = bandwidth.spend(record.length);
    if (waitMs > 0) progress.whileWaiting("bandwidthLimit", () => this.#sleep(waitMs));
    progress.tick();
  }

  /** In short pieces, so that a cancelled run ends soon even at a low rate. */
  #sleep(milliseconds: number): void {
    for (let left = milliseconds; left > 0; left -= POLL_MS) {
      this.#stopIfCancelled();
      this.#options.clock.sleepMs(Math.min(left, POLL_MS));
      this.#options.progress.tick();
    }
  }

  #stopIfCancelled(): void {
    if (this.#options.isCancelled()) throw new Stop({ kind: "cancelled" });
  }

  #awaitAnswer(patienceMs: number): void {
    this.#flush();
    const answer = this.#receive(patienceMs);
    const next = this.#pending.shift();
    if (next?.kind !== "question") throw malformed("an answer that nobody asked for");
    this.#questions -= 1;
    next.answered(answer);
    while (this.#pending[0]?.kind === "then") {
      const then = this.#pending.shift();
      if (then?.kind === "then") then.run();
    }
  }

  #receive(patienceMs: number): Answer {
    const { channel, clock, progress } = this.#options;
    const sinceMs = clock.nowMs();
    for (;;) {
      this.#stopIfCancelled();
      const record = channel.receive(POLL_MS);
      progress.waitsFor = record === null ? "target" : null;
      if (record !== null) return answerIn(record);
      progress.tick();
      if (clock.nowMs() - sinceMs > patienceMs) throw new Stop({ kind: "timedOut" });
    }
  }
}

const malformed = (detail: string): Stop => new Stop({ kind: "malformed", detail });

/** The target sends one message a record. */
function answerIn(record: Uint8Array): Answer {
  const decoded = decodeRecord(record);
  if (!decoded.ok) throw malformed(decoded.error);
  const [message, ...more] = decoded.value;
  if (message === undefined || more.length > 0) throw malformed("not one answer");
  switch (message.kind) {
    case "fault": {
      const { errno, operation, tree, path } = message;
      const place = { tree, path: Uint8Array.from(path) };
      throw new Stop({ kind: "targetFault", errno, operation, place });
    }
    case "welcome":
    case "record":
    case "answer":
    case "passDone":
    case "finished":
      return message;
    default:
      throw malformed("a question from the target");
  }
}
