import { type Checker, type Scene, Violation } from "./checker.ts";

/** A node's own address leaves it this long after it stopped accepting. */
const STRAY_MS_MAX = 20_000;

/**
 * S6: the virtual address does not stay on a node that does not lead. (On the primary it may stay
 * while that serves nobody, as long as nobody else may lead.)
 */
export class AddressFollows implements Checker {
  readonly name = "S6";
  readonly #strayMs = new Map<string, number>();
  #lastMs = 0;

  onStep(scene: Scene): void {
    const passedMs = scene.nowMs - this.#lastMs;
    if (passedMs < 100) return;
    this.#lastMs = scene.nowMs;
    for (const node of scene.nodes) {
      const isPrimary = scene.authority.primary === node.id;
      const isStray = node.hasAddress && !isPrimary && !node.accepts && !node.isFrozen;
      const strayMs = isStray ? (this.#strayMs.get(node.id) ?? 0) + passedMs : 0;
      this.#strayMs.set(node.id, strayMs);
      if (strayMs <= STRAY_MS_MAX) continue;
      throw new Violation(
        "S6",
        `${node.id} has had the address for ${strayMs} ms and serves nobody`,
      );
    }
  }
}
