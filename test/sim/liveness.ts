import type { Client } from "./client.ts";
import { WELL } from "./sim-disk.ts";
import type { SimModule } from "./sim-module.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimPart } from "./sim-part.ts";
import type { World } from "./world.ts";

const WRITES_MS = 30_000;
const QUIET_MS = 30_000;
/** L1 and L2 judge how long each thing takes; this only ends a run in which nothing moves. */
const NO_MOVE_MS = 120_000;
/** So long nobody is able to serve: then people look. */
const PERSON_LOOKS_MS = 15_000;
const PERSON_MS = 90_000;

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
  for (const module of world.modules) await awaitService(module);
  if (core !== null) {
    heal(world, null);
    world.fault("the other node is healed too");
  }
  await world.runWhile(() => !world.isInSync(), NO_MOVE_MS);
  await world.runUntil(Math.max(writtenUntilMs, world.clock.trueMs));
  await comeToRest(world);
}

/** By itself, or where no copy counts as complete any more, by a person's word. */
async function awaitService(module: SimModule): Promise<void> {
  const { world } = module;
  const { clock } = world;
  const endMs = clock.trueMs + NO_MOVE_MS;
  let ableMs = clock.trueMs;
  const mayMove = (): boolean => {
    if (module.serviceDueSinceMs !== null) ableMs = clock.trueMs;
    return module.leader() === null && clock.trueMs - ableMs < PERSON_LOOKS_MS;
  };
  await world.runWhile(mayMove, endMs - clock.trueMs);
  if (module.leader() !== null) return;
  const why = { isCopyLost: world.needsPerson, isForced: false };
  module.judge((checker) => checker.onNobodyServes?.(module, why));
  await letPersonDecide(module);
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
  if (world.modules.some(({ isWitnessSure }) => !isWitnessSure)) return null;
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
    if (node.agent !== null) Object.assign(node.agent, { dieAt: null, dieAfter: null });
    Object.assign(node.faults, WELL);
    // A node whose disk failed stands back until somebody has mended it and starts it anew.
    if (node.hadDiskFault) node.agentDies("restarted after its disk was mended");
    node.hadDiskFault = false;
    if (only !== null && node !== only) node.powerCut();
    else node.boot();
  }
  for (const part of world.parts()) {
    if (part.quorum?.maintenance?.isOver === false) part.order("maintenance-off");
  }
  startAll(world);
}

/** People start what is stopped; an agent that is just starting hears it when it is there. */
function startAll(world: World, turns = 60): void {
  for (const part of world.parts()) {
    const { hosted } = part;
    if (hosted !== null && !hosted.module.isStartWanted) {
      part.order("start");
    }
  }
  if (world.isInSync() || turns === 0) return;
  world.clock.after("calendar", 1000, () => startAll(world, turns - 1));
}

/** What is lost is lost: somebody names the copy that goes on. */
async function letPersonDecide(module: SimModule): Promise<void> {
  const { world } = module;
  const endMs = world.clock.trueMs + PERSON_MS;
  for (let turn = 0; module.leader() === null && world.clock.trueMs < endMs; turn += 1) {
    const best = [...module.both()].sort((a, b) => worth(b) - worth(a))[turn % 2];
    if (best !== undefined) {
      world.fault(`a person forces ${best.id} to be primary of ${module.id}`);
      const epoch = Math.max(...module.both().map((part) => part.quorum?.epoch ?? 0));
      best.order("force-primary", { epoch, reason: "the other copy is lost" });
    }
    await world.runWhile(() => module.leader() === null, 10_000);
  }
  const why = { isCopyLost: true, isForced: true };
  module.judge((checker) => checker.onNobodyServes?.(module, why));
}

const worth = ({ id, module, quorum }: SimPart): number =>
  (quorum?.epoch ?? 0) * 4 +
  (module.authority.inSync.includes(id) ? 2 : 0) +
  (quorum?.outdated === false ? 1 : 0);

/** Nobody writes any more: what was late comes to its end, and is mended. */
async function comeToRest(world: World): Promise<void> {
  await world.runFor(QUIET_MS / 2);
  for (const module of world.modules) module.isIdle = module.isInSync;
  await world.runFor(QUIET_MS);
  // A late echo may still disturb; then it must have been mended.
  await world.runWhile(() => !world.isInSync(), NO_MOVE_MS);
  for (const module of world.modules) module.judge((checker) => checker.onEnd?.(module));
  await world.runFor(1);
}
