import type { Operation } from "#model/contract/commands.ts";
import type { Api } from "./api.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { pause } from "./pause.ts";
import { plain, type Terminal } from "./terminal.ts";

const POLL_MS = 300;
const LOOK = "mirrorfarm status -w shows how it goes";

/** Follows an operation to its end, telling each change of a step once. Ends the command if it fails. */
export async function followOperation(
  api: Api,
  started: Operation,
  terminal: Terminal,
  timeoutMs: number,
): Promise<Operation> {
  const deadlineMs = terminal.nowMs() + timeoutMs;
  const told = new Map<string, string>();
  let operation = started;
  for (;;) {
    for (const step of operation.steps) {
      const line = `${step.nodeId}: ${step.kind} ${step.state}${step.text === "" ? "" : ` (${plain(step.text)})`}`;
      if (told.get(step.id) === line) continue;
      told.set(step.id, line);
      terminal.err(line);
    }
    if (operation.state === "done") return operation;
    if (operation.state === "failed") throw failureOf(operation);
    if (operation.state === "unknown") {
      throw new CommandEnd(EXIT.stillRunning, plain(operation.text), LOOK);
    }
    if (terminal.nowMs() >= deadlineMs) {
      const message = `still running after ${Math.round(timeoutMs / 1000)} s: operation ${operation.id}`;
      throw new CommandEnd(EXIT.stillRunning, message, LOOK);
    }
    await pause(POLL_MS, terminal.signal).catch(() => {
      throw new CommandEnd(EXIT.interrupted, `detached; operation ${operation.id} goes on`);
    });
    operation = await api.operation(operation.id);
  }
}

function failureOf(operation: Operation): CommandEnd {
  const isRefused = operation.steps.some((step) => step.state === "refused");
  return new CommandEnd(isRefused ? EXIT.refused : EXIT.failed, plain(operation.text));
}
