import { Violation } from "./checkers/checker.ts";
import type { Client } from "./client.ts";
import { WELL } from "./sim-disk.ts";
import type { SimModule } from "./sim-module.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimPart } from "./sim-part.ts";
import type { World } from "./world.ts";

/** L1: 2 leases and 3 s, once two voters that may can talk. */
const SERVICE_MS = 7_000;
/** What comes on top after a restart: the guard's pause, the wait for a better node, the scripts. */
const RESTART_MS = 10_000;
const BOOT_WAIT_MS = 12_000;
const SCRIPTS_MS = 25_000;
/** L2: after that, with the least time between two attempts, and the transfer. */
const IN_SYNC_MS = 30_000;
const HOLD_OFF_MS = 15_000;
const PERSON_MS = 90_000;
const WRITES_MS = 30_000;
const QUIET_MS = 30_000;

/** Everything is healed; now service must come back, then the pair, then equal copies. */
export async function bringBack(
  world: World,
  clients: readonly Client[],
  isCoreOnly: boolean,
): Promise<void> {
  world.isHealing = true;
  endFaults(world);
  const core = isCoreOnly ? coreNode(world) : null;
  heal(world, core);
  world.fault(core === null ? "everything is healed" : `W and ${core.id} are healed, no more`);
  const writtenUntilMs = world.clock.trueMs + WRITES_MS;
  for (const client of clients) client.burst(WRITES_MS, 2);
  const serviceMs = SERVICE_MS + RESTART_MS + BOOT_WAIT_MS + SCRIPTS_MS;
  if (!(await world.runWhile(() => !world.isServed, serviceMs))) {
    if (!world.needsPerson) {
      throw new Violation("L1", `no service ${serviceMs} ms after healing: ${world.picture()}`);
    }
    for (const module of world.modules) await letPersonDecide(module);
  }
  if (core !== null) heal(world, null);
  const inSyncMs = IN_SYNC_MS + HOLD_OFF_MS + (core === null ? 0 : RESTART_MS + BOOT_WAIT_MS);
  if (!(await world.runWhile(() => !world.isInSync(), inSyncMs))) {
    throw new Violation("L2", `not in sync ${inSyncMs} ms after service: ${world.picture()}`);
  }
  await world.runUntil(Math.max(writtenUntilMs, world.clock.trueMs));
  await compareCopies(world);
}

/** Between two episodes people look after the cluster. */
export function mend(world: World): void {
  if (world.isHealing) return;
  endFaults(world);
  world.fault("everything is mended");
  heal(world, null);
}

function endFaults(world: World): void {
  world.era += 1;
  for (const end of [...world.undoing]) end();
}

/** A node that may lead by what the record says, if there is one. */
function coreNode(world: World): SimNode | null {
  const holdsAll = (node: SimNode): boolean =>
    node.parts.every(
      ({ module, quorum }) =>
        module.authority.inSync.includes(node.id) && quorum?.outdated === false,
    );
  return world.both().find(holdsAll) ?? null;
}

function heal(world: World, only: SimNode | null): void {
  world.net.heal();
  world.sockets.isBlocked = false;
  world.controlPlane.heal();
  for (const node of world.both()) {
    node.machine.resume();
    for (const thread of ["main", "data"] as const) node.machine.unhang(thread);
    node.machine.setRate(1);
    for (const { application } of node.parts) {
      application.isHung = false;
      application.failsToStart = false;
    }
    if (node.agent !== null) node.agent.dieAt = null;
    Object.assign(node.faults, WELL);
    // A node whose disk failed stands back until somebody has mended it and starts it anew.
    if (node.hadDiskFault) node.agentDies("restarted after its disk was mended");
    node.hadDiskFault = false;
    if (only !== null && node !== only) node.powerCut();
    else node.boot();
  }
  startAll(world);
}

/** People start what is stopped; an agent that is just starting hears it when it is there. */
function startAll(world: World, turns = 60): void {
  for (const { hosted } of world.parts()) {
    if (hosted !== null && !hosted.module.isStartWanted) {
      hosted.module.command({ kind: "start", dataFrom: null });
    }
  }
  if (world.isInSync() || turns === 0) return;
  world.clock.after("calendar", 1000, () => startAll(world, turns - 1));
}

/** What is lost is lost: somebody names the copy that goes on. */
async function letPersonDecide(module: SimModule): Promise<void> {
  const { world } = module;
  const endMs = world.clock.trueMs + PERSON_MS;
  for (let turn = 0; module.leader() === null; turn += 1) {
    if (world.clock.trueMs > endMs) {
      throw new Violation("L4", `not even a person finds a way out: ${world.picture()}`);
    }
    const best = [...module.both()].sort((a, b) => worth(b) - worth(a))[turn % 2];
    if (best?.hosted !== undefined && best.hosted !== null) {
      world.fault(`a person forces ${best.id} to be primary of ${module.id}`);
      const seenEpoch = Math.max(...module.both().map((part) => part.quorum?.epoch ?? 0));
      best.hosted.module.command({
        ...{ kind: "forcePrimary", seenEpoch, historyId: `forced-${world.clock.steps}` },
        ...{ by: "ann", reason: "the other copy is lost", withoutWitness: false },
      });
    }
    await world.runWhile(() => module.leader() === null, 10_000);
  }
}

const worth = ({ id, module, quorum }: SimPart): number =>
  (quorum?.epoch ?? 0) * 4 +
  (module.authority.inSync.includes(id) ? 2 : 0) +
  (quorum?.outdated === false ? 1 : 0);

/** S9: when nobody writes any more, both copies are the same. */
async function compareCopies(world: World): Promise<void> {
  await world.runFor(QUIET_MS / 2);
  for (const module of world.modules) module.isIdle = module.isInSync;
  await world.runFor(QUIET_MS);
  // A late echo may still disturb; then it must have been mended.
  await world.runWhile(() => !world.isInSync(), IN_SYNC_MS);
  for (const module of world.modules) {
    const [a, b] = module.both().map(({ disk }) => disk.tree.digest());
    if (a !== b) throw new Violation("S9", `the copies differ: a ${a}; b ${b}`);
  }
  if (!world.isInSync()) throw new Violation("L4", `it does not stay in sync: ${world.picture()}`);
}
