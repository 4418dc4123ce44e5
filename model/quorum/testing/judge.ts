import { assert } from "../../shared/assert.ts";
import type { Epoch, NodeId } from "../../shared/ids.ts";
import { REASON_CHARS_MAX } from "../../shared/one-sentence.ts";
import { hasOpenVote, type NodeDisk } from "../disk.ts";
import { heardPeers, isRequired, isWilling } from "../node/facts.ts";
import type { NodeState } from "../node.ts";
import type { WitnessRecord } from "../record.ts";
import type { NodeEffect } from "../types.ts";
import type { VoteRequest } from "../votes.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** What must never run before the write that it rests on. */
function isAllowing(e: NodeEffect): boolean {
  switch (e.kind) {
    case "promise":
    case "seekPeerGrant":
      return e.epoch !== null;
    case "setStandingVote":
      return e.isHeld;
    default:
      return ["serve", "follow", "thaw", "publishPeerState", "askWitness"].includes(e.kind);
  }
}

/** S10: what one decision allows follows its durable write; what binds is not broken. */
export function brokenOrder(
  id: NodeId,
  state: NodeState | null,
  effects: readonly NodeEffect[],
): string | null {
  const persists = effects.findIndex((e) => e.kind === "persist");
  const allowed = effects.findIndex(isAllowing);
  if (allowed !== -1 && allowed < persists) {
    return `S10: ${id} runs ${effects[allowed]?.kind} before its persist`;
  }
  const helps = state?.shown?.promise ?? null;
  const isOpen = state !== null && hasOpenVote(state.disk);
  return helps !== null && isOpen ? `S10: ${id} helps while its own question is open` : null;
}

/**
 * Looks at the world from outside, with every node's files in view, and throws at the first broken
 * promise. The names are those of docs/QUORUM.md.
 */
export class Judge {
  readonly #acknowledged: { readonly op: number; readonly epoch: Epoch }[] = [];
  /** A person, or a start after the death of both, accepted that writes may be missing. */
  readonly #forgiven = new Set<number>();
  /** What each node had, and lost with its page cache: it may have confirmed it before. */
  readonly #wiped = new Map<NodeId, Set<number>>();
  /** By epoch and history: a forced epoch may equal one that its person did not know of. */
  readonly #leaders = new Map<string, NodeId>();
  #ops = 0;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  nextOp(): number {
    this.#ops += 1;
    return this.#ops;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  /** S1: never two at once. */
  look(): void {
    const answering = this.#world.nodes.filter((n) => n.canAnswer());
    assert(answering.length < 2, `S1: both answer: ${this.#world.picture()}`);
  }

  /** S1, S4: one primary per epoch, and it holds whatever was ever acknowledged. */
  serves(node: SimNode, epoch: Epoch): void {
    const key = `${epoch} ${node.disk?.historyId}`;
    const known = this.#leaders.get(key);
    assert(known === undefined || known === node.id, `S1: epoch ${epoch} has two primaries`);
    this.#leaders.set(key, node.id);
    for (const { op } of this.#acknowledged) {
      if (this.#forgiven.has(op) || node.data.applied.has(op)) continue;
      assert(false, `S4: ${node.id} lacks acknowledged ${op}: ${this.#world.picture()}`);
    }
  }

  /** S5: on every member of the recorded set that has not durably left it. */
  acknowledged(node: SimNode, op: number, epoch: Epoch): void {
    const record = this.#world.record;
    for (const id of record?.epoch === epoch ? record.inSync : [node.id]) {
      const member = this.#world.node(id);
      const hasLeft = id !== node.id && member.disk?.outdated === true;
      const had = member.data.applied.has(op) || this.#wiped.get(id)?.has(op) === true;
      assert(
        hasLeft || had || this.#forgiven.has(op),
        `S5: ${id} lacks ${op}, acknowledged: ${this.#world.picture()}`,
      );
    }
    this.#acknowledged.push({ op, epoch });
  }

  /** Every decision says why, in one sentence that fits where it is shown. */
  reasoned(reason: string): void {
    const isOneLine = reason.trim() !== "" && !reason.includes("\n");
    assert(isOneLine && reason.length <= REASON_CHARS_MAX, `no sentence: "${reason}"`);
  }

  /** S4: nobody starts as if both had died while it hears a complete copy that would go first. */
  resorted(was: NodeState | { readonly config: object }, s: NodeState): void {
    const isAsked = "role" in was && was.role.kind === "candidate" && was.role.step === "closing";
    if (!isAsked || s.role.kind !== "candidate" || s.role.step !== "asking") return;
    if (s.role.purpose.kind !== "promote" || !s.role.purpose.isLastResort) return;
    const whole = heardPeers(s, this.#world.nowMs).find(
      (peer) =>
        isRequired(s, peer.nodeId) &&
        peer.epoch === s.disk.epoch &&
        !(peer.outdated || peer.isUnclean) &&
        isWilling(peer),
    );
    assert(whole === undefined, `S4: ${s.config.self} passes ${this.#world.picture()}`);
  }

  decided(node: SimNode, effects: readonly NodeEffect[]): void {
    const broken = brokenOrder(node.id, node.state, effects);
    assert(broken === null, `${broken}`);
  }

  /** S2: no disk goes back to an earlier epoch, nor forgets what it voted for. */
  persisted(id: NodeId, was: NodeDisk | null, now: NodeDisk): void {
    if (was === null) return;
    // A start from what the disk kept counts as the death of both, and is shown as such.
    const isByPair = now.primary === id && now.pairDecision !== null;
    if (was.isUnclean && !now.isUnclean && isByPair) this.forgive(id);
    if (was.forced === null && now.forced !== null) this.forgive(id);
    assert(now.epoch >= was.epoch, `S2: ${id} went back from ${was.epoch} to ${now.epoch}`);
    const voted = was.pairVote?.terms.epoch ?? 0;
    const bound = Math.max(now.epoch, now.pairVote?.terms.epoch ?? 0);
    assert(bound >= voted, `S10: ${id} forgot its vote for epoch ${voted}`);
  }

  /** S2, S3 at the witness. */
  voted(was: WitnessRecord | null, now: WitnessRecord | null, request: VoteRequest): void {
    if (now === null || now === was) return;
    assert(now.version > (was?.version ?? 0), "S2: a stored change raises the version");
    if (was === null || now.isRecovering) return;
    const isSameStore = was.storeId === now.storeId && !was.isRecovering;
    assert(!isSameStore || now.epoch >= was.epoch, "S2: the witness went back");
    if (now.epoch === was.epoch) return;
    if (request.kind === "force" || (request.kind === "promote" && request.isLastResort)) {
      this.forgive(request.nodeId);
      return;
    }
    const { primary } = now;
    if (request.kind !== "promote" || !isSameStore || request.pairDecision !== null) return;
    assert(primary !== null && was.inSync.includes(primary), `S3: ${primary} was not in the set`);
  }

  /** That node's copy of these is gone; what no other copy in the set holds, nobody can keep. */
  lost(id: NodeId, ops: readonly number[]): void {
    this.#wiped.set(id, new Set([...(this.#wiped.get(id) ?? []), ...ops]));
    const set = this.#world.record?.inSync ?? [];
    const others = this.#world.nodes.filter(
      (n) => n.id !== id && set.includes(n.id) && n.disk?.outdated === false,
    );
    for (const op of ops) {
      if (!others.some((n) => n.data.applied.has(op))) this.#forgiven.add(op);
    }
  }

  /** A start from this copy was accepted together with what it lacks. */
  forgive(id: NodeId): void {
    const { applied } = this.#world.node(id).data;
    for (const { op } of this.#acknowledged) if (!applied.has(op)) this.#forgiven.add(op);
  }
}
