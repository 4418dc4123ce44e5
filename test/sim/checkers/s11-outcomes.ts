import type { CommandResult, NodeCommandKind } from "#model/contract/commands.ts";
import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, type Scene, Violation } from "./checker.ts";

/** A person's command on one node, and what they were told of it. */
export type Answered = {
  readonly kind: NodeCommandKind;
  readonly outcome: CommandResult["outcome"];
  readonly text: string;
  /** What the node knew when it was asked. */
  readonly before: {
    readonly epoch: number;
    readonly historyId: string | null;
    /** An earlier command was about to give the role away. */
    readonly isReleased: boolean;
  };
};

/** What an application's call came to, and whether it was carried out on the copy. */
export type Told = { readonly what: string; readonly result: number; readonly isDone: boolean };

/** Errors that say nothing of whether it was done: input/output, device gone. */
const UNCLEAR: readonly number[] = [-5, -19];

/**
 * S11: an unknown outcome is never told as a failure or a success. People hear "done" only of what
 * is so, and "failed" or "refused" only of what does not come about afterwards; an application hears
 * of a definite error only where nothing was done.
 */
export class OutcomesAreTrue implements Checker {
  readonly name = "S11";
  /** Forces, by node, that are under way, or of which nobody was told how they end. */
  readonly #forces = new Map<string, number>();
  /** The last that was told of a force on that node was a no. */
  readonly #denied = new Set<string>();

  onOrdered(node: NodeView, kind: NodeCommandKind): void {
    if (kind !== "force-primary") return;
    this.#forces.set(node.id, (this.#forces.get(node.id) ?? 0) + 1);
    this.#denied.delete(node.id);
  }

  onAnswered(node: NodeView, answered: Answered, scene: Scene): void {
    const { kind, outcome, text } = answered;
    const isNo = outcome === "failed" || outcome === "refused";
    if (kind === "force-primary" && isNo) {
      const left = (this.#forces.get(node.id) ?? 1) - 1;
      this.#forces.set(node.id, left);
      if (left === 0) this.#denied.add(node.id);
    }
    const isTrue =
      outcome === "done" ? isSo(node, answered, scene) : !isNo || !mayStillCome(node, answered);
    if (isTrue) return;
    throw new Violation("S11", `${kind} on ${node.id} was told ${outcome} (${text}), and is not`);
  }

  onEvent(event: TraceEvent): void {
    if (event.ev !== "force" || !this.#denied.has(event.node)) return;
    throw new Violation("S11", `${event.node} was forced after people were told that it was not`);
  }

  onTold({ what, result, isDone }: Told): void {
    if (result >= 0 && !isDone) throw new Violation("S11", `${what} succeeded and was not done`);
    if (result < 0 && isDone && !UNCLEAR.includes(result)) {
      throw new Violation("S11", `${what} failed with ${-result} and was done`);
    }
  }
}

function isSo(node: NodeView, { kind, before }: Answered, { authority }: Scene): boolean {
  const { quorum } = node;
  switch (kind) {
    case "start":
      return quorum?.isStartWanted === true;
    case "stop":
      return !node.accepts && !node.hasAddress && !node.isRunning;
    case "switchover":
      return authority.epoch > before.epoch && quorum?.primary !== node.id;
    case "force-primary":
      return quorum?.primary === node.id && quorum.historyId !== before.historyId;
    case "maintenance-on":
      return quorum?.maintenance?.isOver === false;
    case "maintenance-off":
      return quorum?.maintenance?.isOver !== false;
    default:
      return true;
  }
}

/** The role is given away, and nobody has taken it up yet. */
const mayStillCome = ({ quorum }: NodeView, { kind, before }: Answered): boolean =>
  kind === "switchover" &&
  !before.isReleased &&
  quorum?.epoch === before.epoch &&
  quorum.released !== null;
