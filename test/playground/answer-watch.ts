/**
 * Whether a service answers whose language nobody here speaks: somebody listens behind its address
 * when a connection brings data, or at least stays. (The proxy takes every connection, and resets
 * it when no node serves.)
 */
import { connect } from "node:net";

const LOOK_MS = 300;
const STAYS_MS = 250;

export class AnswerWatch {
  readonly #port: number;
  readonly #host: string;
  #lastMs: number | null = null;
  readonly #sinceMs = performance.now();
  #isClosed = false;
  #timer: NodeJS.Timeout | null = null;

  /** `place` is `HOST:PORT`. */
  constructor(place: string) {
    const { hostname, port } = new URL(`tcp://${place}`);
    [this.#host, this.#port] = [hostname, Number(port)];
    this.#again();
  }

  /** How long it has not answered; null: it never has. */
  get silentMs(): number | null {
    return this.#lastMs === null ? null : performance.now() - this.#lastMs;
  }

  get watchedMs(): number {
    return performance.now() - this.#sinceMs;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #again(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#look().then(() => this.#again()), LOOK_MS);
  }

  async #look(): Promise<void> {
    if (await answers(this.#host, this.#port)) this.#lastMs = performance.now();
  }
}

function answers(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, host);
  // It is open after this long, or a connection is not even taken.
  const timer = setTimeout(() => resolve(socket.readyState === "open"), STAYS_MS);
  socket.once("data", () => resolve(true));
  socket.on("error", () => resolve(false));
  socket.once("close", () => resolve(false));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
