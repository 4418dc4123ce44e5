/** The product's processes in a machine as the kernel sees them, and how to make a thread stand still. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { must, waitFor } from "./command.ts";
import { readIfThere } from "./read-if-there.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/** `main` decides, `data` answers file operations: see docs/ARCHITECTURE.md. */
export type AgentThread = "main" | "data";

const AGENT = join("node-agent", "main.ts");
const GUARD = join("node-agent", "guard", "guard-main.ts");
const DATA = join("node-agent", "data-process", "data-process-main.ts");

/** The host's number of a process that runs this program; null while there is none. */
function processIdOf(machine: VirtualMachine, program: string): number | null {
  return (
    machine
      .processIds()
      .find((id) => readIfThere(`/proc/${id}/cmdline`).split("\0")[1]?.endsWith(program)) ?? null
  );
}

export const agentProcessId = (machine: VirtualMachine) => processIdOf(machine, AGENT);
export const guardProcessId = (machine: VirtualMachine) => processIdOf(machine, GUARD);
/** Where the file operations of the machine's one module are answered. */
export const dataProcessId = (machine: VirtualMachine) => processIdOf(machine, DATA);

/** Makes one thread stand still for a time; resolves when it goes on, with how long it stood. */
export async function stallThread(
  machine: VirtualMachine,
  thread: AgentThread,
  durationMs: number,
): Promise<number> {
  const id = thread === "main" ? agentProcessId(machine) : dataProcessId(machine);
  if (id === null) throw new Error(`no agent runs on ${machine.name}`);
  const threadId = thread === "main" ? id : await dataThreadId(id);
  const script = join(import.meta.dirname, "stall-thread.ts");
  const said = await must(process.execPath, [script, String(threadId), String(durationMs)], {
    limitMs: durationMs + 30_000,
  });
  const { stoppedAtMs, endedAtMs }: { stoppedAtMs: number; endedAtMs: number } = JSON.parse(said);
  return endedAtMs - stoppedAtMs;
}

/** The data thread is the one that waits in poll(2); Node's own event loops wait in epoll_wait(2). */
async function dataThreadId(processId: number): Promise<number> {
  return await waitFor(
    "the data thread to wait in poll(2)",
    () => {
      const found = readdirSync(`/proc/${processId}/task`).find((id) =>
        readIfThere(`/proc/${processId}/task/${id}/wchan`).startsWith("poll_schedule_timeout"),
      );
      return found === undefined ? null : Number(found);
    },
    5_000,
    3,
  );
}
