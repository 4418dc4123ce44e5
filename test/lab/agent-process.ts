/** The agent of a machine as the kernel sees it, and how to make one of its threads stand still. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { must, waitFor } from "./command.ts";
import { readIfThere } from "./read-if-there.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/** `main` decides, `data` answers file operations: see docs/ARCHITECTURE.md. */
export type AgentThread = "main" | "data";

const SCRIPT = join("node-agent", "main.ts");

/** The host's number of the agent's process; null while there is none. */
export function agentProcessId(machine: VirtualMachine): number | null {
  return (
    machine
      .processIds()
      .find((id) => readIfThere(`/proc/${id}/cmdline`).split("\0")[1]?.endsWith(SCRIPT)) ?? null
  );
}

/** Makes one thread stand still for a time; resolves when it goes on, with how long it stood. */
export async function stallThread(
  machine: VirtualMachine,
  thread: AgentThread,
  durationMs: number,
): Promise<number> {
  const agent = agentProcessId(machine);
  if (agent === null) throw new Error(`no agent runs on ${machine.name}`);
  const threadId = thread === "main" ? agent : await dataThreadId(agent);
  const script = join(import.meta.dirname, "stall-thread.ts");
  const said = await must(process.execPath, [script, String(threadId), String(durationMs)], {
    limitMs: durationMs + 30_000,
  });
  const { stoppedAtMs, endedAtMs }: { stoppedAtMs: number; endedAtMs: number } = JSON.parse(said);
  return endedAtMs - stoppedAtMs;
}

/** The data thread is the one that waits in poll(2); Node's own event loops wait in epoll_wait(2). */
async function dataThreadId(agent: number): Promise<number> {
  return await waitFor(
    "the data thread to wait in poll(2)",
    () => {
      const found = readdirSync(`/proc/${agent}/task`).find((id) =>
        readIfThere(`/proc/${agent}/task/${id}/wchan`).startsWith("poll_schedule_timeout"),
      );
      return found === undefined ? null : Number(found);
    },
    5_000,
    3,
  );
}
