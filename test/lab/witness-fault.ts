/** How the control plane may be out of order, as the lab's proxy in front of it can make it. */

/** Nine ways to answer nothing useful; the last one before any HTTP is spoken. */
export const BAD_ANSWERS = [
  "429",
  "500",
  "503",
  "403",
  "empty",
  "html",
  "wrong-json",
  "half-reply",
] as const;
export const WITNESS_FAILURES = [...BAD_ANSWERS, "tls-error"] as const;
export type BadAnswer = (typeof BAD_ANSWERS)[number];
export type WitnessFailure = (typeof WITNESS_FAILURES)[number];

export type WitnessFault =
  | { readonly kind: "none" }
  /** Each request waits before it goes on. */
  | { readonly kind: "slow"; readonly delayMs: number }
  | { readonly kind: "fail"; readonly how: WitnessFailure }
  /** Carried out, and the answer never arrives: for the next `votes` of that kind. */
  | { readonly kind: "lose-reply"; readonly vote: string; readonly votes: number }
  /** Carried out twice, byte for byte. */
  | { readonly kind: "double"; readonly vote: string; readonly votes: number }
  /** Looks lost to the asker, and arrives all the same, so much later. */
  | {
      readonly kind: "late";
      readonly vote: string;
      readonly votes: number;
      readonly delayMs: number;
    };

export function parseFault(text: string): WitnessFault {
  const fault: WitnessFault = JSON.parse(text);
  return fault;
}
