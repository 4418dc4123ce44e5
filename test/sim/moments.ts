import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import type { World } from "./world.ts";

type Asked = { readonly node: string; readonly kind: "shrink" | "promote"; readonly atMs: number };

/** Questions of two nodes that are this close to each other race. */
const RACE_MS = 1_500;
const HEALED_AFTER_MS = 1_000;

/** Moments at the witness at which protocols break: a batch must have seen each (coverage.ts). */
export class Moments {
  readonly #world: World;
  /** The last shrink or promotion that was asked for, per module. */
  readonly #last = new Map<string, Asked>();
  /** Requests to record a larger set that may still come late, per module. */
  readonly #lateGrows = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A request reached the witness. */
  onAsked(request: VoteRequest): void {
    const kind = kindOf(request);
    if (kind === null) return;
    const { nodeId: node, moduleId } = request;
    const atMs = this.#world.clock.nowMs;
    const other = this.#last.get(moduleId);
    this.#last.set(moduleId, { node, kind, atMs });
    const isRace = other !== undefined && other.node !== node && atMs - other.atMs < RACE_MS;
    if (isRace && other.kind !== kind) this.#world.see("a shrink races with a promotion");
  }

  onGranted(request: VoteRequest, answer: VoteAnswer): void {
    if (answer.kind !== "granted") return;
    const { moduleId, nodeId } = request;
    const other = this.#last.get(moduleId);
    const kind = kindOf(request);
    const isRace =
      other !== undefined && kind !== null && this.#world.clock.nowMs - other.atMs < RACE_MS;
    if (isRace && (other.node !== nodeId || other.kind !== kind)) {
      this.#world.see(`${kind === "shrink" ? "a shrink" : "a promotion"} wins its race`);
    }
    if (kind === "shrink" && (this.#lateGrows.get(moduleId) ?? 0) > 0) {
      this.#world.see("a shrink beside a late grow");
    }
  }

  /** That request is under way once more, or its answer was lost: it ends with the call. */
  onLate(request: VoteRequest): () => void {
    if (request.kind !== "grow") return () => undefined;
    const { moduleId } = request;
    const change = (by: number): void => {
      this.#lateGrows.set(moduleId, (this.#lateGrows.get(moduleId) ?? 0) + by);
    };
    change(1);
    return () => change(-1);
  }

  onReplyLost(request: VoteRequest): void {
    const world = this.#world;
    world.see(`lost reply of ${request.kind}`);
    if (request.kind !== "promote") return;
    const part = world.module(request.moduleId).part(request.nodeId);
    world.clock.after("calendar", HEALED_AFTER_MS, () => {
      const { quorum, peer } = part;
      const isOpen = quorum !== null && quorum.asked > quorum.epoch;
      const [there, back] = [world.net.wire("a", "b"), world.net.wire("b", "a")];
      const isHealed = !there.isCut && !back.isCut && peer.isAble;
      if (isOpen && isHealed) world.see("a promotion granted, its answer lost, the link healed");
    });
  }
}

function kindOf(request: VoteRequest): "shrink" | "promote" | null {
  if (request.kind === "promote") return "promote";
  return request.kind === "grant" ? "shrink" : null;
}
