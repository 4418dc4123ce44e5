import type { SessionKey } from "./engine.ts";

/** The mutual-TLS sessions with the peer whose keys may still be used; the newest is used first. */
export class Sessions {
  /** Agents come and go: what an earlier one did not drop must not stay for ever. */
  static readonly kept = 4;
  readonly #byId = new Map<string, SessionKey>();

  add(session: SessionKey): void {
    const id = hex(session.sessionId);
    this.#byId.delete(id);
    this.#byId.set(id, session);
    for (const old of [...this.#byId.keys()].slice(0, -Sessions.kept)) this.#byId.delete(old);
  }

  drop(sessionId: Uint8Array): void {
    this.#byId.delete(hex(sessionId));
  }

  find(sessionId: Uint8Array): SessionKey | null {
    return this.#byId.get(hex(sessionId)) ?? null;
  }

  newest(): SessionKey | null {
    return [...this.#byId.values()].at(-1) ?? null;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
