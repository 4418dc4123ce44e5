import type { Socket } from "node:net";

/** More without an end of line is nobody of ours. */
const LINE_BYTES_MAX = 1_048_576;

/** One JSON text per line, both ways; a malformed one ends the connection. */
export class Lines<T> {
  readonly socket: Socket;
  #held = "";
  #waiting: T[] = [];
  #take: ((message: T) => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", () => socket.destroy());
  }

  /** Each message is taken once, in order; null: what comes waits for the next taker. */
  set taker(take: ((message: T) => void) | null) {
    this.#take = take;
    this.#hand();
  }

  /** Nothing is said to a connection that has ended: whoever comes next asks anew. */
  write(message: unknown): void {
    if (!this.socket.destroyed && this.socket.writable) {
      this.socket.write(`${JSON.stringify(message)}\n`);
    }
  }

  #read(text: string): void {
    const lines = (this.#held + text).split("\n");
    this.#held = lines.pop() ?? "";
    if (this.#held.length > LINE_BYTES_MAX) this.socket.destroy();
    for (const line of lines) {
      const message = parse<T>(line);
      if (message === null) this.socket.destroy();
      else this.#waiting.push(message);
    }
    this.#hand();
  }

  #hand(): void {
    while (this.#take !== null) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#take(message);
    }
  }
}

/** Typed by what the other end, of the same protocol, writes. */
function parse<T>(line: string): T | null {
  try {
    const message: T = JSON.parse(line);
    return message;
  } catch {
    return null;
  }
}
