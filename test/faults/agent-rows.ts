/** C01, C35, C44: the product's own processes die, or are replaced by newer ones. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { agentProcessId, dataProcessId, guardProcessId } from "../lab/agent-process.ts";
import type { NodeName } from "../lab/cluster.ts";
import { waitFor } from "../lab/command.ts";
import { stableProcesses } from "./node-facts.ts";
import { pick, type Row } from "./row.ts";
import { other, SETTLED_MS, SOON_MS, type World } from "./world.ts";

function send(id: number | null, name: NodeJS.Signals): void {
  if (id === null) throw new Error("there is no such process");
  process.kill(id, name);
}

/** Until another agent on that node decides about the module; how long none did. */
async function replaced(world: World, node: NodeName, end: () => void): Promise<number> {
  const machine = world.machine(node);
  const was = agentProcessId(machine);
  end();
  return await world.timed(`another agent on ${node}`, async () => {
    const now = agentProcessId(machine);
    if (now === null || now === was) return false;
    return (await world.localModule(node).catch(() => undefined)) !== undefined;
  });
}

/**
 * The same application and data process, as long as the roles are the same: a machine that is too
 * slow for its leases may see the other node take over, in its own right.
 */
async function goesOn(world: World, row: string, node: NodeName, end: () => void): Promise<void> {
  const primary = await world.settled();
  const facts = async () => ({
    epoch: await world.epoch(),
    processes: stableProcesses(world.lab, primary),
    data: dataProcessId(world.machine(primary)),
  });
  const before = await facts();
  const fromMs = Date.now();
  const awayMs = await replaced(world, node, end);
  await world.judge.acknowledges(5, SOON_MS);
  await world.settled();
  const part = node === primary ? "primary" : "secondary";
  world.note(row, `${part}'s agent away`, awayMs);
  world.note(row, `${part}'s: longest silence`, world.judge.longestSilenceMs(fromMs));
  const after = await facts();
  world.note(row, `${part}'s: changes of role`, after.epoch - before.epoch);
  if (after.epoch === before.epoch) expect(after).toEqual(before);
}

const killed: Row = {
  id: "C01 agent",
  title: "an agent that is killed comes back to the same application, on either node",
  async run(world, primary) {
    for (let round = 1; round <= pick(1, 25); round += 1) {
      for (const node of [primary, other(primary)]) {
        const end = () => send(agentProcessId(world.machine(node)), "SIGKILL");
        await goesOn(world, "C01 agent", node, end);
      }
    }
  },
};

const replacedInOrder: Row = {
  id: "C35",
  title: "an agent that is replaced by a newer one stops nothing, secondary first, then primary",
  async run(world, primary) {
    for (const node of [other(primary), primary]) {
      await goesOn(world, "C35", node, () => send(guardProcessId(world.machine(node)), "SIGHUP"));
    }
  },
};

const dataKilled: Row = {
  id: "C01 data",
  title: "where the data process is killed the application gets errors and is started again",
  async run(world, primary) {
    for (const node of [primary, other(primary)]) {
      const fromMs = Date.now();
      const was = dataProcessId(world.machine(node));
      send(was, "SIGKILL");
      await world.timed(`another data process on ${node}`, async () => {
        const now = dataProcessId(world.machine(node));
        return now !== null && now !== was;
      });
      await world.judge.acknowledges(5, SETTLED_MS);
      world.note("C01 data", "longest silence for a client", world.judge.longestSilenceMs(fromMs));
      await world.settled();
    }
  },
};

/** No agent stays up on that node for a time; then one does. */
async function withoutAgent(world: World, node: NodeName, durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  await waitFor(
    `the end of ${durationMs} ms`,
    () => {
      if (performance.now() > untilMs) return true;
      const id = agentProcessId(world.machine(node));
      if (id !== null) process.kill(id, "SIGKILL");
      return null;
    },
    durationMs + SOON_MS,
    20,
  );
}

/** Frozen in place, and what asks for a file's contents gets no answer. */
async function expectHeld(world: World, node: NodeName): Promise<void> {
  await world.timed(`${node} to stand still`, async () => {
    const { hasVip, running } = await world.facts(node);
    return !hasVip && running.length === 0;
  });
  let hasEnded = false;
  const limitMs = 2 * SETTLED_MS;
  void world
    .machine(node)
    .exec(["sh", "-c", "head -c 1 /srv/data/ledger"], { limitMs })
    .finally(() => {
      hasEnded = true;
    });
  await sleep(300);
  expect(hasEnded).toBe(false);
}

const awayForLong: Row = {
  id: "C44",
  title: "without an agent for longer than its lease a primary answers nothing, and is replaced",
  async run(world, primary) {
    const away = withoutAgent(world, primary, pick(6_000, 30_000));
    await expectHeld(world, primary);
    await world.timed("the other node to take over", async () =>
      ["ALONE", "PRIM"].includes((await world.localModule(other(primary)))?.state ?? ""),
    );
    await away;
    expect(await world.settled()).toBe(other(primary));
  },
};

const awayInMaintenance: Row = {
  id: "C44 hands off",
  title: "in maintenance the application of a primary without an agent waits, and goes on",
  async run(world, primary) {
    await world.cluster.command({ kind: "maintenance-on", forMs: 600_000, reason: "an upgrade" });
    const processes = stableProcesses(world.lab, primary);
    const away = withoutAgent(world, primary, pick(4_000, 20_000));
    await expectHeld(world, primary);
    await away;
    await world.judge.acknowledges(5, SETTLED_MS);
    expect(stableProcesses(world.lab, primary)).toEqual(processes);
    await world.cluster.command({ kind: "maintenance-off" });
    expect(await world.settled()).toBe(primary);
  },
};

export const agentRows: readonly Row[] = [
  killed,
  replacedInOrder,
  dataKilled,
  awayForLong,
  awayInMaintenance,
];
