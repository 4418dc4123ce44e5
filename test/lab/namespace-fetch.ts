import { Worker } from "node:worker_threads";
import type { Transport } from "../setup/people-client.ts";

export type FetchCall = {
  readonly id: number;
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
  readonly timeoutMs: number;
};
export type FetchAnswer = {
  readonly id: number;
  readonly result: { readonly status: number; readonly text: string } | { readonly error: string };
};

/** HTTP from inside a machine of the lab, without starting a program there for each request. */
export class NamespaceFetch {
  readonly #worker: Worker;
  readonly #pending = new Map<number, (result: FetchAnswer["result"]) => void>();
  #id = 0;

  constructor(namespacePath: string) {
    this.#worker = new Worker(new URL("./namespace-fetch-thread.ts", import.meta.url), {
      workerData: { namespacePath },
    });
    this.#worker.unref();
    this.#worker.on("message", ({ id, result }: FetchAnswer) => {
      this.#pending.get(id)?.(result);
      this.#pending.delete(id);
    });
    this.#worker.on("error", (error) => {
      for (const answer of this.#pending.values()) answer({ error: String(error) });
      this.#pending.clear();
    });
  }

  /** Requests to `origin` as seen from that namespace. */
  transport(origin: string, timeoutMs = 10_000): Transport {
    return async (method, path, headers, body) => {
      const result = await this.#fetch({
        method,
        url: `${origin}${path}`,
        headers,
        body,
        timeoutMs,
      });
      if ("error" in result) throw new Error(result.error);
      return result;
    };
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fetch(call: Omit<FetchCall, "id">): Promise<FetchAnswer["result"]> {
    this.#id += 1;
    const id = this.#id;
    const { promise, resolve } = Promise.withResolvers<FetchAnswer["result"]>();
    this.#pending.set(id, resolve);
    this.#worker.postMessage({ ...call, id } satisfies FetchCall);
    return promise;
  }
}
