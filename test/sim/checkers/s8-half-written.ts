import type { NodeDisk } from "#model/quorum/disk.ts";
import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, type Scene, Violation } from "./checker.ts";

/**
 * S8: a copy into which a resync has begun and not ended is never served from as current. One that
 * a person forced to lead is the module's copy from then on, until its node counts as outdated.
 */
export class NoHalfWrittenPrimary implements Checker {
  readonly name = "S8";
  readonly #accepted = new Set<string>();

  onEvent(event: TraceEvent, scene: Scene): void {
    if (event.ev === "force") this.#accepted.add(event.node);
    if (event.ev !== "writable" || !event.on || this.#accepted.has(event.node)) return;
    if (scene.view(event.node).isHalfWritten) {
      throw new Violation("S8", `${event.node} leads epoch ${event.epoch} from half a copy`);
    }
  }

  onPersist(node: NodeView, was: NodeDisk | null, now: NodeDisk): void {
    if (now.outdated && was?.outdated !== true) this.#accepted.delete(node.id);
    const joins = was?.outdated === true && !now.outdated && now.primary !== node.id;
    if (joins && node.isHalfWritten) {
      throw new Violation("S8", `${node.id} counts as complete while its copy is half-written`);
    }
  }
}
