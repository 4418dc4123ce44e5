/**
 * Which nodes must do what, in which order, for a person's command; or why it is refused before
 * anyone is told. Pure. The nodes judge again by the quorum protocol: nothing here is for safety,
 * all of it is for an answer at once and in words.
 */
import type { CommandRequest } from "#model/contract/commands.ts";
import type { ModuleEntry } from "#model/contract/configuration.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import type { PossibleLoss } from "#model/quorum/possible-loss.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

export interface CommandPlan {
  /** Nodes per phase: a phase begins when the one before is done. */
  readonly phases: readonly (readonly string[])[];
  /** The node that shall lead, where the kind has one and the person left it open. */
  readonly node?: string;
  /** What it may lose, where it can lose anything. */
  readonly loss?: PossibleLoss;
}

/** What is known of the nodes now: for better words, and to ask nobody who cannot answer. */
export interface Seen {
  isSilent(nodeId: string): boolean;
  /** What forcing that node may lose. */
  lossOf(nodeId: string): PossibleLoss | null;
}
const NOTHING_SEEN: Seen = { isSilent: () => false, lossOf: () => null };

/** The plan, from the module's configuration and the witness's record. */
export function planCommand(
  module: ModuleEntry,
  record: WitnessRecord | null,
  request: CommandRequest,
  seen: Seen = NOTHING_SEEN,
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
  if (kind === "maintenance-on" || kind === "maintenance-off") {
    return maintenance(module, request, seen);
  }
  if (request.withoutWitness === true) {
    const text = "the control plane is here: a force without it is for when it is away";
    return err(failure("badRequest", text, "leave withoutWitness out"));
  }
  const loss = kind === "force-primary" ? seen.lossOf(node ?? dataFrom ?? "") : null;
  if (request.confirm !== module.id) {
    const remedy = `repeat with the module's name as confirmation: ${module.id}`;
    const said = loss === null ? "" : `: ${loss.text}`;
    const text = `${kind} can lose data and needs to be confirmed${said}`;
    return err(failure("refused", text.slice(0, 900), remedy));
  }
  const chosen = node ?? dataFrom;
  if (chosen === undefined) return err(failure("badRequest", `${kind} needs a node`));
  if (kind === "full-resync" && chosen === primary) {
    return err(failure("refused", `${chosen} leads: its copy is the source, never the target`));
  }
  return ok({ phases: [[chosen]], node: chosen, ...(loss === null ? {} : { loss }) });
}

/** Every node that can hear it; one that cannot is told by the other when it is back. */
function maintenance(
  module: ModuleEntry,
  { kind, node, forMs }: CommandRequest,
  seen: Seen,
): Result<CommandPlan, ApiFailure> {
  if (node !== undefined) {
    return err(failure("badRequest", `${kind} is for the whole module`, "name no node"));
  }
  if (kind === "maintenance-on" && forMs === undefined) {
    return err(failure("badRequest", "say for how long it shall last", "forMs, at most a week"));
  }
  const heard = module.nodes.filter((one) => !seen.isSilent(one));
  return ok({ phases: [heard.length === 0 ? module.nodes : heard] });
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
