import type { CommandResult, NodeCommand } from "#model/contract/commands.ts";
import type { ModuleId } from "#model/shared/ids.ts";
import type { AnswerWatch } from "./control-plane/answer-watch.ts";
import { type ControlPlaneClient, describeFailure } from "./control-plane/client.ts";
import { type CommandTarget, runCommand } from "./mirror/commands.ts";
import { describeError, type Sleep } from "./sleep.ts";

export type CommandTakerOptions = {
  readonly client: Pick<ControlPlaneClient, "commands" | "acknowledge">;
  readonly signal: AbortSignal;
  /** The module as it runs here; null while it does not. */
  find(moduleId: ModuleId): CommandTarget | null;
  /** Around that long: many nodes are not to do the same thing at the same moment. */
  spread(durationMs: number): number;
  readonly sleep: Sleep;
  readonly watch: Pick<AnswerWatch, "unanswered">;
  log(text: string): void;
};

const POLL_WAIT_MS = 20_000;
const POLL_AGAIN_MS = 1_000;
const ACKNOWLEDGE_TRIES_MAX = 10;
/** How long a command waits for a module that is being installed. */
const HOSTED_MS_MAX = 30_000;
const HOSTED_LOOK_MS = 100;

/**
 * People's commands, as the control plane hands them out: each is carried out once, however often
 * the poll repeats it, and what became of it is told until that has arrived.
 */
export class CommandTaker {
  readonly #options: CommandTakerOptions;
  readonly #known = new Map<string, Promise<void>>();

  constructor(options: CommandTakerOptions) {
    this.#options = options;
  }

  /** Until the signal. */
  async follow(): Promise<void> {
    const { client, signal, sleep, spread, watch, log } = this.#options;
    while (!signal.aborted) {
      const answer = await client.commands([...this.#known.keys()], POLL_WAIT_MS, signal);
      if (signal.aborted) return;
      if (!answer.ok) {
        log(`D commands: ${describeFailure(answer.error)}`);
        watch.unanswered(answer.error);
        await sleep(spread(POLL_AGAIN_MS), signal);
        continue;
      }
      for (const command of answer.value.commands) this.#take(command);
    }
  }

  #take(command: NodeCommand): void {
    if (this.#known.has(command.id)) return;
    const done = this.#hosted(command)
      .then((mirror) => runCommand(command, mirror))
      .catch((error: unknown) => ({ outcome: "failed", text: describeError(error) }) as const)
      .then(async ({ outcome, text }) => {
        await this.#acknowledge({ id: command.id, outcome, text });
        // Kept a little longer, so that a repeat of the poll does not run it again.
        setTimeout(() => this.#known.delete(command.id), POLL_WAIT_MS * 2).unref();
      });
    this.#known.set(command.id, done);
  }

  /** Until it has arrived the command stays known here, so that it is not carried out again. */
  async #acknowledge(result: CommandResult): Promise<void> {
    const { client, signal, sleep, spread } = this.#options;
    for (let attempt = 1; attempt <= ACKNOWLEDGE_TRIES_MAX; attempt += 1) {
      const answer = await client.acknowledge([result]);
      if (answer.ok || signal.aborted) return;
      await sleep(spread(POLL_AGAIN_MS * attempt), signal);
    }
  }

  /** The module that a command is for; one that was uploaded just now may still be on its way. */
  async #hosted(command: NodeCommand): Promise<CommandTarget | null> {
    const { find, signal, sleep } = this.#options;
    const endMs = performance.now() + Math.min(command.remainingMs, HOSTED_MS_MAX);
    for (;;) {
      const mirror = find(command.moduleId);
      if (mirror !== null) return mirror;
      if (performance.now() > endMs || signal.aborted) return null;
      await sleep(HOSTED_LOOK_MS, signal);
    }
  }
}
