/**
 * Customers of the demo application: a few that ask for one thing after another, through the one
 * address that the service has. What was answered "done" is written down as acknowledged; what got
 * no answer is unknown, which is neither a success nor a failure. After an unknown the customer
 * waits until the service answers at all, so that an outage is not counted as many.
 */

/** An application that keeps what customers ask for: the shop's orders, a database's rows. */
export type Application = {
  /** What a customer's wish is called: "orders", "commits". */
  readonly noun: string;
  customer(): Customer;
  /** All that the application has; null when it does not answer. */
  kept(): Promise<ReadonlySet<string> | null>;
};

export type Customer = {
  /** Whether the service answers at all; asks for nothing. */
  isServed(): Promise<boolean>;
  ask(id: string): Promise<"acknowledged" | "refused" | "unknown">;
  close(): void;
};

export type LoadCounts = {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  /** Of the last full second. */
  readonly perSecond: number;
  /** Since the last acknowledgement. */
  readonly silentMs: number;
};

const ACKNOWLEDGED_MAX = 5_000_000;
const PAUSE_MS = 50;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

export class LoadGenerator {
  readonly noun: string;
  readonly #acknowledged = new Set<string>();
  readonly #application: Application;
  readonly #run = Math.random().toString(36).slice(2, 8);
  #unknown = 0;
  #refused = 0;
  #isStopped = false;
  #lastMs = performance.now();
  #second = { startedMs: performance.now(), count: 0, perSecond: 0 };
  readonly #customers: readonly Promise<void>[];

  constructor(application: Application, customers: number) {
    this.noun = application.noun;
    this.#application = application;
    this.#customers = Array.from({ length: customers }, (_, n) => this.#askForEver(n));
  }

  counts(): LoadCounts {
    return {
      acknowledged: this.#acknowledged.size,
      unknown: this.#unknown,
      refused: this.#refused,
      perSecond: this.#second.perSecond,
      silentMs: performance.now() - this.#lastMs,
    };
  }

  /** How many of the acknowledged ones are there; null when the application does not answer. */
  async found(): Promise<{ acknowledged: number; found: number } | null> {
    const acknowledged = [...this.#acknowledged];
    const kept = await this.#application.kept();
    if (kept === null) return null;
    return {
      acknowledged: acknowledged.length,
      found: acknowledged.filter((id) => kept.has(id)).length,
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#customers);
  }

  async #askForEver(number: number): Promise<void> {
    const customer = this.#application.customer();
    let isServed = false;
    for (let n = 1; !this.#isStopped && this.#acknowledged.size < ACKNOWLEDGED_MAX; n += 1) {
      isServed ||= await customer.isServed();
      if (!isServed) {
        await pause();
        continue;
      }
      const id = `${this.#run}-${number}-${n}`;
      const outcome = await customer.ask(id);
      if (outcome === "acknowledged") {
        this.#acknowledge(id);
        continue;
      }
      if (outcome === "unknown") this.#unknown += 1;
      else this.#refused += 1;
      isServed = false;
      await pause();
    }
    customer.close();
  }

  #acknowledge(id: string): void {
    this.#acknowledged.add(id);
    const nowMs = performance.now();
    // After an outage counting begins anew: the rate is of the time in which there was service.
    if (nowMs - this.#lastMs > 1000) this.#second = { startedMs: nowMs, count: 0, perSecond: 0 };
    this.#lastMs = nowMs;
    this.#second.count += 1;
    const tookMs = nowMs - this.#second.startedMs;
    if (tookMs < 1000) return;
    const perSecond = Math.round((1000 * this.#second.count) / tookMs);
    this.#second = { startedMs: nowMs, count: 0, perSecond };
  }
}
