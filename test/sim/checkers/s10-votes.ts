import type { NodeDisk } from "#model/quorum/disk.ts";
import { hasOpenVote } from "#model/quorum/disk.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { VoteRequest } from "#model/quorum/votes.ts";
import { type Checker, type NodeView, Violation } from "./checker.ts";

/** S10: what a node says to others is on its disk before; no vote is forgotten, none broken. */
export class VotesHold implements Checker {
  readonly name = "S10";

  onPersist(node: NodeView, was: NodeDisk | null, now: NodeDisk): void {
    if (was === null) return;
    const voted = was.pairVote?.terms.epoch ?? 0;
    const bound = Math.max(now.epoch, now.pairVote?.terms.epoch ?? 0);
    if (bound < voted) throw new Violation("S10", `${node.id} forgot its vote for epoch ${voted}`);
    if (was.longestPromiseMs > now.longestPromiseMs) {
      throw new Violation("S10", `${node.id} forgot the longest promise that it gave`);
    }
  }

  onAsk(node: NodeView, request: VoteRequest): void {
    if (request.kind !== "promote") return;
    // What was kept of an older question, when a newer epoch is known, is that epoch.
    const asked = Math.max(node.quorum?.asked ?? 0, node.quorum?.epoch ?? 0);
    if (asked < request.toEpoch) {
      throw new Violation(
        "S10",
        `${node.id} asks for epoch ${request.toEpoch} and has kept ${asked}`,
      );
    }
  }

  onPromise(node: NodeView, epoch: number | null): void {
    const disk = node.quorum;
    if (epoch === null || disk === null) return;
    if (hasOpenVote(disk)) {
      throw new Violation("S10", `${node.id} helps epoch ${epoch} while its own question is open`);
    }
    if (disk.epoch !== epoch) {
      throw new Violation("S10", `${node.id} helps epoch ${epoch}, its disk knows ${disk.epoch}`);
    }
  }

  onPublish(node: NodeView, state: PeerState): void {
    const disk = node.quorum;
    if (disk === null) return;
    const said = [state.epoch, state.primary, state.outdated, state.joining, state.pairVote];
    const kept = [disk.epoch, disk.primary, disk.outdated, disk.joining, disk.pairVote];
    if (JSON.stringify(said) === JSON.stringify(kept)) return;
    throw new Violation(
      "S10",
      `${node.id} says ${JSON.stringify(said)}, its disk ${JSON.stringify(kept)}`,
    );
  }
}
