/**
 * Which nodes must do what, in which order, for a person's command; or why it is refused before
 * anyone is told. Pure. The nodes judge again by the quorum protocol: nothing here is for safety,
 * all of it is for an answer at once and in words.
 */
import type { CommandRequest } from "#model/contract/commands.ts";
import type { ModuleEntry } from "#model/contract/configuration.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

export interface CommandPlan {
  /** Nodes per phase: a phase begins when the one before is done. */
  readonly phases: readonly (readonly string[])[];
  /** The node that shall lead, where the kind has one and the person left it open. */
  readonly node?: string;
}

/** The plan, from the module's configuration and the witness's record. */
export function planCommand(
  module: ModuleEntry,
  record: WitnessRecord | null,
  request: CommandRequest,
): Result<CommandPlan, ApiFailure> {
  const { kind, node, dataFrom, seenEpoch } = request;
  const epoch = record?.epoch ?? 0;
  if (seenEpoch !== undefined && seenEpoch !== epoch) {
    const text = `epoch ${epoch} has begun since you looked (you saw ${seenEpoch})`;
    return err(failure("stale", text, "look again and repeat"));
  }
  for (const named of [node, dataFrom]) {
    if (named !== undefined && !module.nodes.includes(named)) {
      return err(failure("badRequest", `${named} has no part in ${module.id}`));
    }
  }
  const primary = record?.primary ?? null;
  if (kind === "start") return ok({ phases: [node === undefined ? module.nodes : [node]] });
  if (kind === "stop") return ok({ phases: stopPhases(module, primary, node) });
  if (kind === "restart") {
    const running = primary === null ? module.nodes : [primary];
    return ok({ phases: [node === undefined ? running : [node]] });
  }
  if (module.mode !== "mirror") {
    return err(failure("refused", `${kind} is for mirror modules; ${module.id} is ${module.mode}`));
  }
  if (kind === "switchover") return switchover(module, primary, node);
  if (request.confirm !== module.id) {
    const remedy = `repeat with the module's name as confirmation: ${module.id}`;
    return err(failure("refused", `${kind} can lose data and needs to be confirmed`, remedy));
  }
  const chosen = node ?? dataFrom;
  if (chosen === undefined) return err(failure("badRequest", `${kind} needs a node`));
  if (kind === "full-resync" && chosen === primary) {
    return err(failure("refused", `${chosen} leads: its copy is the source, never the target`));
  }
  return ok({ phases: [[chosen]], node: chosen });
}

/** Secondaries first: then stopping everywhere never looks like a loss of the primary. */
function stopPhases(
  module: ModuleEntry,
  primary: string | null,
  node: string | undefined,
): readonly (readonly string[])[] {
  if (node !== undefined) return [[node]];
  if (primary === null || !module.nodes.includes(primary)) return [module.nodes];
  const others = module.nodes.filter((one) => one !== primary);
  return others.length === 0 ? [[primary]] : [others, [primary]];
}

function switchover(
  module: ModuleEntry,
  primary: string | null,
  node: string | undefined,
): Result<CommandPlan, ApiFailure> {
  if (primary === null) {
    return err(failure("refused", `${module.id} has no primary to switch from`, "start it first"));
  }
  const target = node ?? module.nodes.find((one) => one !== primary);
  if (target === undefined || target === primary) {
    return err(failure("refused", `${primary} leads already`));
  }
  // The primary stops, flushes and releases; the other one then asks to lead.
  return ok({ phases: [[primary]], node: target });
}
