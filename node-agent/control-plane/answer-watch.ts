import type { ModuleHappening } from "../mirror/mirror-module.ts";
import type { CallFailure } from "./signed-caller.ts";

/** A control plane that says nothing for this long is worth a word. */
const SILENCE_MS = 10_000;

/**
 * Tells when the control plane does not answer as it should, once for as long as it lasts, and in
 * this node's own log first of all: who looks at the control plane sees nothing of it.
 */
export class AnswerWatch {
  readonly #tell: (happening: ModuleHappening) => void;
  readonly #nowMs: () => number;
  #answeredAtMs: number;
  #toldOf: "nothing" | "silence" | "turnedAway" = "nothing";

  constructor(tell: (happening: ModuleHappening) => void, nowMs = () => performance.now()) {
    this.#tell = tell;
    this.#nowMs = nowMs;
    this.#answeredAtMs = nowMs();
  }

  answered(): void {
    this.#answeredAtMs = this.#nowMs();
    if (this.#toldOf === "nothing") return;
    this.#toldOf = "nothing";
    this.#tell({ kind: "decided", severity: "S", text: "the control plane answers again" });
  }

  unanswered(failure: CallFailure): void {
    const isTurnedAway = failure.kind === "notAllowed";
    const isSilent = this.#nowMs() - this.#answeredAtMs >= SILENCE_MS;
    const isKnown = this.#toldOf === "turnedAway" || (this.#toldOf === "silence" && !isTurnedAway);
    if (isKnown || !(isTurnedAway || isSilent)) return;
    this.#toldOf = isTurnedAway ? "turnedAway" : "silence";
    const text = isTurnedAway
      ? `the control plane turns this node away (${failure.detail}): a person must let it join again`
      : "the control plane does not answer: service goes on, but not without the other node";
    this.#tell({ kind: "decided", severity: isTurnedAway ? "C" : "E", text });
  }
}
