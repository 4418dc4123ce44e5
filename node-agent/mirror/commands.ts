import type { CommandResult, NodeCommand } from "#model/contract/commands.ts";
import { MAINTENANCE_MS_DEFAULT } from "#model/quorum/maintenance.ts";
import { isRefusal } from "#model/quorum/node/command.ts";
import { untilText } from "#model/quorum/node/maintenance.ts";
import type { HostedMirror } from "./hosted-mirror.ts";

/** What a command needs of the module that it is for. */
export type CommandTarget = Pick<
  HostedMirror,
  "module" | "started" | "until" | "isAtRest" | "wantFullResync"
>;

type Outcome = Pick<CommandResult, "outcome" | "text">;

/** What a step may take at most, whatever the control plane allows. */
const STEP_MS_MAX = 10 * 60_000;

const done = (text: string): Outcome => ({ outcome: "done", text });
const failed = (text: string): Outcome => ({ outcome: "failed", text });
const refused = (text: string): Outcome => ({ outcome: "refused", text });
/** It was begun, and what comes of it was not seen in time: neither a success nor a failure. */
const unknown = (text: string): Outcome => ({ outcome: "unknown", text });

/** Carries out what a person asked of one module on this node, and says how it went. */
export async function runCommand(
  command: NodeCommand,
  mirror: CommandTarget | null,
): Promise<Outcome> {
  if (mirror === null) return refused(`${command.moduleId} does not run on this node`);
  if (!(await mirror.started)) return failed(`${command.moduleId} could not be opened`);
  if (command.kind === "maintenance-on" || command.kind === "maintenance-off") {
    return maintenance(command, mirror);
  }
  const known = mirror.module.disk.epoch;
  if (command.epoch !== undefined && command.epoch < known) {
    return refused(`epoch ${command.epoch} is over: ${known} has begun`);
  }
  const limitMs = Math.min(command.remainingMs, STEP_MS_MAX);
  mirror.module.service.checks.resetLoop();
  switch (command.kind) {
    case "start":
      return await start(command, mirror, limitMs);
    case "stop":
      return await stop(mirror, limitMs);
    case "restart":
      return await restart(mirror, limitMs);
    case "switchover":
      return await switchover(mirror, limitMs);
    case "force-primary":
      return await force(command, mirror, limitMs);
    case "full-resync":
      return await fullResync(mirror, limitMs);
    case "announce-address":
      return await mirror.module.service.announce();
    case "withdraw-address":
      return await mirror.module.service.withdraw();
    default:
      return refused(`this agent does not know the command ${String(command.kind)}`);
  }
}

/** Decided and on the disk before this returns. */
function maintenance(command: NodeCommand, { module }: CommandTarget): Outcome {
  const { kind, operationId: id, actor: by, forMs = MAINTENANCE_MS_DEFAULT, reason = "" } = command;
  if (kind === "maintenance-off") {
    if (!module.isInMaintenance) return done("it is not in maintenance");
    module.command({ kind: "maintenanceOff", by });
    return module.isInMaintenance
      ? failed(`not ended: ${module.why}`)
      : done("maintenance is over");
  }
  module.beginMaintenance({ id, forMs, by, reason });
  const { maintenance: begun } = module.disk;
  if (!module.isInMaintenance || begun?.id !== id) return failed(`not begun: ${module.why}`);
  return done(untilText(begun));
}

async function start(
  command: NodeCommand,
  mirror: CommandTarget,
  limitMs: number,
): Promise<Outcome> {
  const { module } = mirror;
  module.command({ kind: "start", dataFrom: command.dataFrom ?? null });
  // A wish that the disk did not take is forgotten with this agent, whatever runs until then.
  if (!module.isStartWanted) return failed(`not started: ${module.why}`);
  const isStarted = await mirror.until(() => module.service.view.state !== "STOP", limitMs);
  return isStarted ? done(`started: ${module.why}`) : unknown(`not begun yet: ${module.why}`);
}

async function stop(mirror: CommandTarget, limitMs: number): Promise<Outcome> {
  const { module } = mirror;
  module.command({ kind: "stop" });
  const isStopped = await mirror.until(() => mirror.isAtRest, limitMs);
  return isStopped ? done("stopped") : unknown(`still stopping: ${module.why}`);
}

async function restart(mirror: CommandTarget, limitMs: number): Promise<Outcome> {
  const { service } = mirror.module;
  if (service.view.state === "STOP" || service.view.state === "WAIT") {
    return refused(`nothing runs here: the state is ${service.view.state}`);
  }
  service.restart(null);
  const isDone = await mirror.until(() => !service.view.runsScripts, limitMs);
  return isDone ? done("the application was restarted") : unknown("its scripts still run");
}

/** Leaves in order, so that the primary knows, and comes back with a copy that it does not trust. */
async function fullResync(mirror: CommandTarget, limitMs: number): Promise<Outcome> {
  const { module } = mirror;
  if (module.service.view.state !== "SECOND") {
    return refused(
      `only a secondary's copy is compared: the state is ${module.service.view.state}`,
    );
  }
  mirror.wantFullResync();
  module.command({ kind: "stop" });
  if (!(await mirror.until(() => mirror.isAtRest, limitMs))) {
    return failed(`not stopped in time: ${module.why}`);
  }
  module.command({ kind: "start", dataFrom: null });
  const isBack = await mirror.until(() => module.service.view.state === "SECOND", limitMs);
  return isBack ? done("its copy was compared wholly") : failed(`not back yet: ${module.why}`);
}

async function switchover(mirror: CommandTarget, limitMs: number): Promise<Outcome> {
  const { module } = mirror;
  const { epoch, nodeId } = module.disk;
  const refusal = module.command({ kind: "switchover" }).find(isRefusal);
  if (refusal !== undefined) return refused(refusal);
  const hasMoved = () => module.disk.epoch > epoch;
  if (!(await mirror.until(hasMoved, limitMs))) {
    return unknown(`not switched over yet: ${module.why}`);
  }
  const { primary } = module.disk;
  if (primary === nodeId) return failed("the other node did not take over: this one leads again");
  return done(`${primary ?? "nobody"} leads now`);
}

async function force(
  command: NodeCommand,
  mirror: CommandTarget,
  limitMs: number,
): Promise<Outcome> {
  const { module } = mirror;
  const seenEpoch = command.epoch ?? module.disk.epoch;
  const historyId = module.newId();
  const said = module.command({
    kind: "forcePrimary",
    ...{ seenEpoch, historyId, by: command.actor },
    withoutWitness: command.withoutWitness ?? false,
    reason: command.reason ?? "asked for by a person",
  });
  const refusal = said.find(isRefusal);
  if (refusal !== undefined) return refused(refusal);
  const isForced = () => module.disk.historyId === historyId && module.data.isServing;
  const isDone = await mirror.until(isForced, limitMs);
  return isDone ? done("this node leads now") : unknown(`not seen to lead yet: ${module.why}`);
}
