/**
 * One node as the explorer sees it: what the production decision knows, and around it the least of a
 * shell that can tell a right decision from a wrong one. Everything is plain data, so that two nodes
 * which differ in nothing that matters are the same text.
 */
import type { NodeDisk } from "#model/quorum/disk.ts";
import type { NodeState } from "#model/quorum/node.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { Command } from "#model/quorum/types.ts";
import type { VoteAnswer } from "#model/quorum/votes.ts";
import type { BootMs, Epoch, NodeId } from "#model/shared/ids.ts";

/**
 * This node's end of the replicated stream. "untold" is attached and "broken" is not, while the
 * decision has not heard of it yet.
 */
export type Link = "none" | "untold" | "live" | "broken";

export type Shell = {
  /** The heartbeat thread: whose primary is helped, whose help is sought and held. */
  readonly promise: Epoch | null;
  readonly promiseEndsMs: BootMs | null;
  readonly seek: Epoch | null;
  readonly grants: Readonly<Record<NodeId, Grant>>;
  readonly data:
    | { readonly kind: "refuse" }
    | { readonly kind: "follow"; readonly epoch: Epoch }
    | { readonly kind: "serve"; readonly epoch: Epoch; readonly ackBy: readonly NodeId[] };
  readonly refuseBelow: Epoch;
  readonly isFenced: boolean;
  /** To each peer; one that is not named has none. */
  readonly links: Readonly<Record<NodeId, Link>>;
  readonly flush: { readonly peer: NodeId; readonly epoch: Epoch } | null;
  readonly runsService: boolean;
  /** What is on the disk; null: what the decision believes, as it should always be. */
  readonly disk: NodeDisk | null;
};

type Grant = { readonly epoch: Epoch; readonly untilMs: BootMs };

export const carries = (link: Link): boolean => link === "untold" || link === "live";

export const linkOf = (plane: Pick<Shell, "links"> | null, peer: NodeId): Link =>
  plane?.links[peer] ?? "none";

/** What a node knows; its configuration is the same in every state. */
export type Mind = Omit<NodeState, "config">;

/** What goes on without the agent: its data process, with whatever it was told last. */
export type Plane = Pick<Shell, "data" | "links" | "isFenced" | "refuseBelow">;

export type LiveNode = { readonly kind: "live"; readonly state: Mind; readonly shell: Shell };
export type DeadNode = {
  readonly kind: "dead";
  readonly disk: NodeDisk | null;
  readonly runsService: boolean;
  /** null: the data process died too. */
  readonly plane: Plane | null;
  /** The machine died, not only the agent. */
  readonly hasLostPower: boolean;
};
export type ExploredNode = LiveNode | DeadNode;

/** A heartbeat as it comes in. `seeks`: the epoch for which it asks our promise. */
export type Beat = { readonly state: PeerState; readonly seeks: Epoch | null };

/** What can happen to a node. */
export type Happening =
  /** A tick, at the end of which heartbeats of peers and their answers to ours come in, or nothing. */
  | {
      readonly kind: "timePasses";
      readonly beats: readonly Beat[];
      readonly answered: Readonly<Record<NodeId, Epoch>>;
    }
  | ({ readonly kind: "peerHeard" } & Beat)
  | { readonly kind: "heartbeatAnswered"; readonly peer: NodeId; readonly epoch: Epoch }
  | { readonly kind: "answered"; readonly answer: VoteAnswer }
  | { readonly kind: "unanswered"; readonly requestId: string }
  | { readonly kind: LinkHappening; readonly peer: NodeId }
  | { readonly kind: "commanded"; readonly command: Command }
  | { readonly kind: "booted"; readonly data: "empty" | "hasData" };

export type LinkHappening = "attached" | "linkBroken" | "linkTold" | "flushed" | "flushFailed";

export const planeOf = ({ data, links, isFenced, refuseBelow }: Shell): Plane | null =>
  data.kind === "refuse" ? null : { data, links, isFenced, refuseBelow };
