/** C01, C35, C44: the product's own processes die, or are replaced by newer ones. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { agentProcessId, dataProcessId, guardProcessId } from "../lab/agent-process.ts";
import type { NodeName } from "../lab/cluster.ts";
import { waitFor } from "../lab/command.ts";
import { stableProcesses } from "./node-facts.ts";
import { pick, type Row } from "./row.ts";
import { other, SOON_MS, type World } from "./world.ts";

/** What the lease and the other node's patience allow; a machine that is slower than that is no fault. */
const AWAY_MS_MAX = 1_500;

function kill(id: number | null, signal: NodeJS.Signals = "SIGKILL"): void {
  if (id === null) throw new Error("there is nothing to kill");
  process.kill(id, signal);
}

/** Until a new agent answers on its own socket; how long nobody did. */
async function nextAgent(world: World, node: NodeName, was: number | null): Promise<number> {
  const machine = world.machine(node);
  return await world.timed(`a new agent on ${node}`, async () => {
    const now = agentProcessId(machine);
    if (now === null || now === was) return false;
    return (await world.localModule(node).catch(() => undefined)) !== undefined;
  });
}

/** The new agent goes on where the other ended, if it came in time; how long it was away. */
async function replaced(world: World, node: NodeName, end: () => void): Promise<number> {
  const was = agentProcessId(world.machine(node));
  end();
  return await nextAgent(world, node, was);
}

const primarysAgent: Row = {
  id: "C01",
  title: "an agent that is killed on the primary comes back to the same application",
  async run(world, primary) {
    const machine = world.machine(primary);
    for (let round = 1; round <= pick(3, 25); round += 1) {
      const data = dataProcessId(machine);
      const mark = await world.mark();
      const fromMs = Date.now();
      await world.unchanged(primary, async () => {
        const awayMs = await replaced(world, primary, () => kill(agentProcessId(machine)));
        world.note("C01", `agent away, ms, ${round}`, awayMs);
        if (awayMs > AWAY_MS_MAX) return false;
        expect(dataProcessId(machine)).toBe(data);
        return true;
      });
      world.note("C01", `longest silence, ms, ${round}`, world.judge.longestSilenceMs(fromMs));
      if (round === 3) console.log(world.cluster.logs());
      console.log(await world.told("inSyncChanged", mark));
      await world.settled();
      await sleep(pick(0, 10_000));
    }
  },
};

export const agentRows: readonly Row[] = [primarysAgent];
void guardProcessId;
void stableProcesses;
void other;
void waitFor;
void SOON_MS;
