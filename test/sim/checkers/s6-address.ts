import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, type Scene, Violation } from "./checker.ts";

/** How long an address may stay where nobody leads, once nothing keeps it there. */
const STRAY_MS_MAX = 20_000;
const LOOK_MS = 100;
/** As for two primaries (S1): a machine that a hypervisor let go on does not know it at once. */
const RESUMED_MS_MAX = 1_900;

/**
 * S6: the virtual address does not stay on a node that does not lead. Where the nodes carry it, a
 * node that no longer leads takes it off. Where a cloud sends clients, the address is at the
 * recorded primary 20 s after the last older call has ended, the cloud being well; while the cloud
 * fails, the node behind the address accepts nothing, and people are told.
 */
export class AddressFollows implements Checker {
  readonly name = "S6";
  readonly #strayMs = new Map<string, number>();
  #lastMs = 0;
  #toldMs = 0;
  #forced = 0;

  onEvent(event: TraceEvent): void {
    if (event.ev === "force") this.#forced = event.epoch;
  }

  onStep(scene: Scene): void {
    const passedMs = scene.nowMs - this.#lastMs;
    if (passedMs < LOOK_MS) return;
    this.#lastMs = scene.nowMs;
    for (const node of scene.nodes) this.#carried(node, scene, passedMs);
    this.#sent(scene);
  }

  /** On the primary it may stay while that serves nobody, as long as nobody else may lead. */
  #carried(node: NodeView, scene: Scene, passedMs: number): void {
    const isPrimary = scene.authority.primary === node.id;
    const isStray = node.hasAddress && !isPrimary && !node.accepts && !node.isFrozen;
    const strayMs = isStray ? (this.#strayMs.get(node.id) ?? 0) + passedMs : 0;
    this.#strayMs.set(node.id, strayMs);
    if (strayMs <= STRAY_MS_MAX) return;
    throw new Violation("S6", `${node.id} has had the address for ${strayMs} ms and serves nobody`);
  }

  #sent({ cloud, nowMs, authority, nodes }: Scene): void {
    if (cloud === null || cloud.wanted === null || cloud.at === cloud.wanted) {
      this.#toldMs = nowMs;
      return;
    }
    const where = `clients are sent to ${cloud.at}, ${cloud.wanted} leads`;
    if (cloud.dueSinceMs !== null && nowMs - cloud.dueSinceMs > STRAY_MS_MAX) {
      throw new Violation("S6", `${where}, and the cloud is well`);
    }
    if (!cloud.isShownRight) this.#toldMs = nowMs;
    if (nowMs - this.#toldMs > STRAY_MS_MAX) {
      throw new Violation("S6", `${where}, and people are told that all is well`);
    }
    const behind = nodes.find((node) => node.id === cloud.at);
    const served = behind?.accepts === true ? (behind.servedEpoch ?? 0) : null;
    if (served === null || served >= authority.epoch || served < this.#forced) return;
    if ((behind?.resumedForMs ?? 0) <= RESUMED_MS_MAX) return;
    throw new Violation("S6", `${where}, and ${cloud.at} still accepts in epoch ${served}`);
  }
}
