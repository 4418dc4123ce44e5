import type { FenceTargets, GuardReport } from "../../node-agent/guard/fence-order.ts";
import { GuardBook } from "../../node-agent/guard/guard-book.ts";
import type { Life, Machine } from "./machine.ts";

export type GuardOptions = {
  readonly machine: Machine;
  /** Starts an agent; it tells when that has died. */
  readonly startAgent: () => void;
  readonly killAgent: () => void;
  readonly takeDown: (moduleId: string, targets: FenceTargets) => void;
};

const TICK_MS = 100;
const RESTART_MS_FIRST = 200;
const RESTART_MS_MAX = 10_000;
const HEALTHY_MS = 10_000;

/** The guard of a simulated machine: the production book (guard-book.ts), and tasks around it. */
export class SimGuard {
  readonly #options: GuardOptions;
  readonly #book = new GuardBook();
  readonly life: Life = { isAlive: true };
  #isAgentAlive = false;
  #startedMs = 0;
  #restartMs = RESTART_MS_FIRST;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#start();
    this.#lookAgain();
  }

  note(report: GuardReport): void {
    this.#book.note(report, this.#options.machine.bootMs());
  }

  agentDied(): void {
    if (!this.#isAgentAlive) return;
    this.#isAgentAlive = false;
    this.#book.noteAgentDied();
    const { machine } = this.#options;
    if (machine.bootMs() - this.#startedMs >= HEALTHY_MS) this.#restartMs = RESTART_MS_FIRST;
    machine.after(this.life, "guard", "work", this.#restartMs, () => this.#start());
    this.#restartMs = Math.min(RESTART_MS_MAX, this.#restartMs * 2);
  }

  #start(): void {
    this.#isAgentAlive = true;
    this.#startedMs = this.#options.machine.bootMs();
    this.#options.startAgent();
  }

  #lookAgain(): void {
    const { machine } = this.#options;
    machine.after(this.life, "guard", "routine", TICK_MS, () => {
      this.#look();
      this.#lookAgain();
    });
  }

  #look(): void {
    const { machine, takeDown, killAgent } = this.#options;
    const nowMs = machine.bootMs();
    for (const { moduleId, targets } of this.#book.due(this.#isAgentAlive, nowMs)) {
      takeDown(moduleId, targets);
      this.#book.noteFenced(moduleId);
    }
    if (this.#isAgentAlive && this.#book.isAgentBeyondHope(nowMs)) killAgent();
  }
}
