/**
 * An ask for a standing vote has a name, which the peer repeats in its answer. Only which names are
 * equal matters, so they are given anew in the order in which they stand in the world.
 */
import type { LeadingRole } from "#model/quorum/node/state.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { ExploredNode, Mind } from "./explored-node.ts";
import { type Id, peersOf, type Strays, type World, withNode } from "./explored-world.ts";
import { memo, memo2 } from "./memo.ts";

type Named = { readonly id: string } | null | undefined;

const mindOf = (w: World, id: Id): Mind | undefined => {
  const node = w.nodes[id];
  return node.kind === "live" ? node.state : undefined;
};

/** The ask of `id` that is open to that peer. */
const askOf = (s: Mind | undefined, peer: Id): Named =>
  s?.role.kind === "leading" ? s.role.secondaries[peer]?.ask : null;

/** Every name of an ask of `id`, where it may stand. */
function namesOf(w: World, id: Id): readonly string[] {
  const own = mindOf(w, id);
  const places = peersOf(w.ids, id).flatMap((peerId): Named[] => {
    const peer = mindOf(w, peerId);
    return [
      askOf(own, peerId),
      peer?.peers[id]?.state?.standingVoteAsk,
      // Whom a vote was given to, only its name tells: it begins with that node's.
      peer?.voteGiven?.id.startsWith(id) === true ? peer.voteGiven : null,
      givenTo(id, own?.peers[peerId]?.state?.standingVoteGiven),
      w.strays.beats[`${id}>${peerId}`]?.state.standingVoteAsk,
      givenTo(id, w.strays.beats[`${peerId}>${id}`]?.state.standingVoteGiven),
    ];
  });
  return [...new Set(places.flatMap((n) => (n === null || n === undefined ? [] : [n.id])))];
}

const givenTo = (id: Id, given: Named): Named => (given?.id.startsWith(id) === true ? given : null);

/** A standing vote that answers no ask which anybody still holds can never be taken. */
function withoutSpentVotes(w: World): World {
  let next = w;
  for (const id of w.ids) {
    for (const peerId of peersOf(w.ids, id)) {
      const own = mindOf(w, id);
      const peer = mindOf(w, peerId);
      const open = [
        askOf(own, peerId)?.id ?? null,
        peer?.peers[id]?.state?.standingVoteAsk?.id,
        w.strays.beats[`${id}>${peerId}`]?.state.standingVoteAsk?.id,
      ];
      const given = givenTo(id, peer?.voteGiven)?.id;
      if (given !== undefined && !open.includes(given)) {
        next = withNode(next, peerId, withoutVote(next.nodes[peerId]));
      }
      const taken = own?.peers[peerId]?.state?.standingVoteGiven?.id;
      if (taken === undefined || open[0] === taken) continue;
      next = withNode(next, id, withoutTaken(next.nodes[id], peerId));
    }
  }
  return next;
}

const withoutVote = memo((node: ExploredNode): ExploredNode => {
  if (node.kind === "dead") return node;
  const { shown } = node.state;
  const told = shown === null ? null : retold(shown, (p) => ({ ...p, standingVoteGiven: null }));
  return { ...node, state: { ...node.state, voteGiven: null, shown: told } };
});

const withoutTaken = memo2((node: ExploredNode, from: Id): ExploredNode => {
  if (node.kind === "dead") return node;
  const peers = reheard(node.state.peers, (state) =>
    state.nodeId === from ? { ...state, standingVoteGiven: null } : state,
  );
  return { ...node, state: { ...node.state, peers } };
});

type Shown = NonNullable<Mind["shown"]>;

const retold = (shown: Shown, to: (state: PeerState) => PeerState): Shown => {
  const told = Object.entries(shown.peerStates).map(([id, state]) => [id, to(state)]);
  return { ...shown, peerStates: Object.fromEntries(told) };
};

const reheard = (peers: Mind["peers"], to: (state: PeerState) => PeerState): Mind["peers"] =>
  Object.fromEntries(
    Object.entries(peers).map(([id, view]) => [
      id,
      view.state === null ? view : { ...view, state: to(view.state) },
    ]),
  );

export function withCanonicalAsks(was: World): World {
  const w = withoutSpentVotes(was);
  const names = new Map<string, string>();
  let isCanonical = true;
  for (const id of w.ids) {
    namesOf(w, id).forEach((name, i) => {
      const to = `${id}.ask${i + 1}`;
      if (name !== to) isCanonical = false;
      names.set(name, to);
    });
  }
  if (isCanonical) return w;
  const rename = <N extends Named>(n: N): N =>
    n === null || n === undefined ? n : { ...n, id: names.get(n.id) ?? n.id };
  const { a, b, c } = w.nodes;
  const nodes = { a: renamedNode(a, rename), b: renamedNode(b, rename), c: renamedNode(c, rename) };
  return { ...w, nodes, strays: renamedStrays(w.strays, rename) };
}

type Rename = <N extends Named>(n: N) => N;

const renamedState = (s: PeerState, rename: Rename): PeerState => ({
  ...s,
  standingVoteAsk: rename(s.standingVoteAsk),
  standingVoteGiven: rename(s.standingVoteGiven),
});

function renamedRole(role: LeadingRole, rename: Rename): LeadingRole {
  const secondaries = Object.entries(role.secondaries).map(([id, one]) => [
    id,
    { ...one, ask: rename(one.ask) },
  ]);
  return { ...role, secondaries: Object.fromEntries(secondaries) };
}

function renamedNode(node: ExploredNode, rename: Rename): ExploredNode {
  if (node.kind === "dead") return node;
  const { role, peers, shown, voteGiven } = node.state;
  const renamed = (state: PeerState) => renamedState(state, rename);
  const state = {
    ...node.state,
    role: role.kind === "leading" ? renamedRole(role, rename) : role,
    peers: reheard(peers, renamed),
    voteGiven: rename(voteGiven),
    shown: shown === null ? null : retold(shown, renamed),
  };
  return { ...node, state };
}

function renamedStrays(strays: Strays, rename: Rename): Strays {
  const beats = Object.entries(strays.beats).map(([wire, beat]) => [
    wire,
    { ...beat, state: renamedState(beat.state, rename) },
  ]);
  return { ...strays, beats: Object.fromEntries(beats) };
}
