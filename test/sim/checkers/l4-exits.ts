import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * L4: no state is without an exit. By itself where a copy counts as complete, by a person's word
 * where a copy was lost; and a world that came to rest stays as it is.
 */
export class EveryStateHasAnExit implements Checker {
  readonly name = "L4";

  /** Everything was healed, and nobody came to serve. */
  onNobodyServes(scene: Scene, why: { readonly isCopyLost: boolean; readonly isForced: boolean }) {
    if (scene.nodes.some((node) => node.accepts)) return;
    if (why.isForced) throw new Violation("L4", "not even a person finds a way out");
    if (why.isCopyLost) return;
    const held = scene.nodes.map(({ id, quorum }) => `${id} ${quorum?.outdated ? "outdated" : ""}`);
    throw new Violation("L4", `nobody may serve, though no copy was lost: ${held.join(", ")}`);
  }

  onEnd(scene: Scene): void {
    if (!scene.isInSync) throw new Violation("L4", "it does not stay in sync");
  }
}
