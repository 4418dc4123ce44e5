import { type Checker, Violation } from "./checker.ts";

/** S12: no secret in anything that people can read. The world's keys all carry this word. */
export class NoSecrets implements Checker {
  readonly name = "S12";

  onText(text: string): void {
    if (text.includes("CANARY")) throw new Violation("S12", `a secret is shown: ${text}`);
  }
}
