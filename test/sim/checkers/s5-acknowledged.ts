import type { TraceEvent } from "../trace.ts";
import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * S5: at an acknowledgement every member of the committed set holds the operation, an fsync's on
 * its disk. A member that has durably left (a standing vote: its own disk says "outdated") does
 * not count; one that is joining does.
 */
export class AcknowledgedEverywhere implements Checker {
  readonly name = "S5";

  #forced = 0;

  onEvent(event: TraceEvent, scene: Scene): void {
    // Beside a forced primary nothing is promised: the person accepted that.
    if (event.ev === "force") this.#forced = event.epoch;
    if (event.ev !== "ack") return;
    const op = scene.oracle.op(event.op);
    if (op === undefined) return;
    const { authority } = scene;
    if (event.epoch < this.#forced) return;
    if (event.epoch < authority.epoch && authority.primary !== event.node) {
      const now = `${authority.primary} leads epoch ${authority.epoch}`;
      throw new Violation("S5", `${event.node} acknowledges in epoch ${event.epoch}, but ${now}`);
    }
    const own = scene.view(event.node).quorum;
    const joining = own?.joining ?? null;
    const members = new Set(authority.epoch === event.epoch ? authority.inSync : [event.node]);
    if (joining !== null) members.add(joining);
    members.add(event.node);
    for (const id of members) {
      const member = scene.view(id);
      const hasLeft = id !== event.node && member.quorum?.outdated === true && id !== joining;
      if (hasLeft || scene.oracle.holds(member.tree, op, op.isSync)) continue;
      const where = op.isSync ? "on its disk" : "at all";
      throw new Violation(
        "S5",
        `${event.node} acknowledged ${op.what} (${op.id}), ${id} lacks it ${where}`,
      );
    }
  }
}
