/**
 * Customers of the demo shop: a few that order one thing after another, through the one address
 * that the service has. What was answered "201" is written down as acknowledged; what got no answer
 * is unknown, which is neither a success nor a failure.
 */
import { Agent, request } from "node:http";

export type LoadCounts = {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  /** Of the last full second. */
  readonly perSecond: number;
  /** Since the last acknowledged order. */
  readonly silentMs: number;
};

export type LoadOptions = {
  readonly url: string;
  readonly customers: number;
  readonly timeoutMs: number;
};

const ORDERS_MAX = 5_000_000;

export class LoadGenerator {
  readonly acknowledged = new Set<string>();
  readonly #options: LoadOptions;
  readonly #run = Math.random().toString(36).slice(2, 8);
  #unknown = 0;
  #refused = 0;
  #isStopped = false;
  #lastMs = performance.now();
  #second = { startedMs: performance.now(), count: 0, perSecond: 0 };
  #onFirstAnswer: ((atUnixMs: number) => void)[] = [];
  readonly #customers: Promise<void>[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    for (let n = 0; n < options.customers; n += 1) this.#customers.push(this.#order(n));
  }

  counts(): LoadCounts {
    return {
      acknowledged: this.acknowledged.size,
      unknown: this.#unknown,
      refused: this.#refused,
      perSecond: this.#second.perSecond,
      silentMs: performance.now() - this.#lastMs,
    };
  }

  /** Calls back at the next acknowledged order. */
  onNextAnswer(listener: (atUnixMs: number) => void): void {
    this.#onFirstAnswer.push(listener);
  }

  /** How many of the acknowledged orders the shop still has; null when it does not answer. */
  async found(): Promise<{ acknowledged: number; found: number } | null> {
    const acknowledged = [...this.acknowledged];
    const answer = await send("GET", `${this.#options.url}/orders`, null, 10_000, null);
    if (answer === null || answer.code !== 200) return null;
    const { ids }: { ids: string[] } = JSON.parse(answer.text);
    const there = new Set(ids);
    return {
      acknowledged: acknowledged.length,
      found: acknowledged.filter((id) => there.has(id)).length,
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#customers);
  }

  async #order(customer: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 1; !this.#isStopped && this.acknowledged.size < ORDERS_MAX; n += 1) {
      const id = `${this.#run}-${customer}-${n}`;
      const body = JSON.stringify({ id });
      const url = `${this.#options.url}/orders`;
      const answer = await send("POST", url, body, this.#options.timeoutMs, agent);
      if (answer?.code === 201) this.#acknowledge(id);
      else {
        if (answer === null) this.#unknown += 1;
        else this.#refused += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    agent.destroy();
  }

  #acknowledge(id: string): void {
    this.acknowledged.add(id);
    const nowMs = performance.now();
    this.#lastMs = nowMs;
    this.#second.count += 1;
    if (nowMs - this.#second.startedMs >= 1000) {
      this.#second = { startedMs: nowMs, count: 0, perSecond: this.#second.count };
    }
    for (const listener of this.#onFirstAnswer.splice(0)) listener(Date.now());
  }
}

/** One HTTP call; null when no answer came in time, or none at all. */
function send(
  method: string,
  url: string,
  body: string | null,
  timeoutMs: number,
  agent: Agent | null,
): Promise<{ code: number; text: string } | null> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; text: string } | null>();
  const outgoing = request(url, { method, ...(agent === null ? {} : { agent }) }, (incoming) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (part: string) => {
      text += part;
    });
    incoming.on("end", () => resolve({ code: incoming.statusCode ?? 0, text }));
    incoming.on("error", () => resolve(null));
  });
  const timer = setTimeout(() => outgoing.destroy(), timeoutMs);
  outgoing.on("close", () => {
    clearTimeout(timer);
    resolve(null);
  });
  outgoing.on("error", () => resolve(null));
  outgoing.end(body ?? undefined);
  return promise;
}
