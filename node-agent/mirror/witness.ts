import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import type { BootMs } from "#model/shared/ids.ts";

/** One attempt at the witness. "unknown" may have been granted: no answer is not a no. */
export type VoteOutcome =
  | { readonly kind: "answered"; readonly answer: VoteAnswer }
  | { readonly kind: "unknown"; readonly cause: string };

/** The control plane as a voter. Bounded by `timeoutMs`; never rejects. */
export interface Witness {
  ask(request: VoteRequest, timeoutMs: number): Promise<VoteOutcome>;
}

const REMEMBERED_MAX = 16;

/**
 * When each request was first sent. A grant counts from there: the witness may have answered the
 * first sending, whose reply was lost, so counting from a later one would make the lease too long.
 */
export class FirstSendings {
  readonly #sentAt = new Map<string, BootMs>();

  note(requestId: string, nowBootMs: BootMs): void {
    if (this.#sentAt.has(requestId)) return;
    this.#sentAt.set(requestId, nowBootMs);
    const oldest = this.#sentAt.keys().next().value;
    if (this.#sentAt.size > REMEMBERED_MAX && oldest !== undefined) this.#sentAt.delete(oldest);
  }

  of(requestId: string): BootMs | null {
    return this.#sentAt.get(requestId) ?? null;
  }
}
