import type { Epoch, NodeId } from "../shared/ids.ts";
import { hasOpenVote, type NodeDisk } from "./disk.ts";

/**
 * A data plane that outlived its agent: it goes on holding what it held, under the leases that it
 * had, and the next agent takes it over as it is.
 */
export type KeptPlane = {
  readonly role: "primary" | "secondary";
  readonly epoch: Epoch;
  /**
   * Primary: the epoch in which the peer holds everything and must acknowledge everything.
   * Secondary: the epoch whose live stream this complete copy takes. null: neither.
   */
  readonly attachedEpoch: Epoch | null;
};

/**
 * May a node with this disk go on with the plane where it stood? Only while nothing on the disk
 * says more than the plane knows: no other epoch, no open vote, no release, no word that this copy
 * is out of the set. Otherwise the plane is closed, as if it had died with its agent.
 */
export function mayKeep(disk: NodeDisk | null, plane: KeptPlane, self: NodeId): boolean {
  if (disk === null || !disk.isStartWanted || hasOpenVote(disk)) return false;
  if (disk.epoch !== plane.epoch || disk.released !== null || disk.isUnclean) return false;
  if (plane.role === "primary") return disk.primary === self;
  return disk.primary !== self && !disk.outdated && plane.attachedEpoch === disk.epoch;
}

/** Does the set on the disk still name the peer, so that its acknowledgement was never given up? */
export const isPeerInSet = (disk: NodeDisk, peer: NodeId): boolean =>
  disk.inSync.includes(peer) || disk.joining === peer;
