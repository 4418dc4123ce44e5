import type { Epoch, NodeId } from "../shared/ids.ts";
import { hasOpenVote, type NodeDisk } from "./disk.ts";

/**
 * A data plane that outlived its agent: it goes on holding what it held, under the leases that it
 * had, and the next agent takes it over as it is.
 */
export type KeptPlane =
  | {
      readonly role: "primary";
      readonly epoch: Epoch;
      /** Peers that hold everything, and without whom nothing is acknowledged. */
      readonly attached: readonly NodeId[];
    }
  | {
      readonly role: "secondary";
      readonly epoch: Epoch;
      /** This copy is complete and takes the live stream of that epoch. */
      readonly isAttached: boolean;
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
  return disk.primary !== self && !disk.outdated && plane.isAttached;
}

/** What a primary keeps of it. A peer that has left the set durably is out, whatever the plane says. */
export type KeptPrimary = { readonly epoch: Epoch; readonly attached: readonly NodeId[] };

export const keptPrimary = (disk: NodeDisk, plane: KeptPlane | undefined): KeptPrimary | null =>
  plane?.role === "primary"
    ? { epoch: plane.epoch, attached: plane.attached.filter((id) => isInSet(disk, id)) }
    : null;

/** `id` was attached, or lost, before this node leads on. */
export function noteAttached(
  disk: NodeDisk,
  kept: KeptPrimary | null,
  id: NodeId,
  isAttached: boolean,
): KeptPrimary | null {
  if (kept === null) return null;
  const others = kept.attached.filter((other) => other !== id);
  return { ...kept, attached: isAttached && isInSet(disk, id) ? [...others, id] : others };
}

const isInSet = (disk: NodeDisk, id: NodeId): boolean =>
  disk.inSync.includes(id) || disk.joining === id;
