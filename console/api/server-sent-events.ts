/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) from a
 * plain response body. The browser's own EventSource hides comments and status codes: with it a
 * dead line looks like a quiet one, and "signed out" looks like "away". Here every byte counts as
 * a sign of life, and whoever calls sees why a stream did not open.
 */

export interface StreamFrame {
  readonly event: string;
  readonly data: string;
}

/** One frame of the control plane is far smaller; more means that something else answers. */
const FRAME_CHARACTERS_MAX = 8 * 1024 * 1024;

/** Takes chunks as they come and gives back the frames that they complete. */
export class FrameReader {
  #rest = "";

  /** Throws when a frame grows beyond all bounds; the caller then closes the stream. */
  read(chunk: string): readonly StreamFrame[] {
    // A chunk may end between the two halves of a line end, so only whole frames are looked at.
    const text = this.#rest + chunk;
    const blocks = text.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    if (this.#rest.length > FRAME_CHARACTERS_MAX) throw new Error("a frame without an end");
    return blocks.flatMap(parseFrame);
  }
}

function parseFrame(block: string): readonly StreamFrame[] {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field = "", value = ""] = /^([a-z]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? [] : [{ event, data: data.join("\n") }];
}
