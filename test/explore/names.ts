/**
 * An ask for a standing vote has a name, which the peer repeats in its answer. Only which names are
 * equal matters, so they are given anew in the order in which they stand in the world.
 */
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { ExploredNode, LiveNode } from "./explored-node.ts";
import { IDS, type Id, otherOf, type Strays, type World } from "./explored-world.ts";
import { memo } from "./memo.ts";

type Named = { readonly id: string } | null | undefined;

const live = (node: ExploredNode): LiveNode | null => (node.kind === "live" ? node : null);

/** Every name of an ask of `id`, where it may stand. */
function namesOf(w: World, id: Id): readonly string[] {
  const own = live(w[id])?.state;
  const peer = live(w[otherOf(id)])?.state;
  const places: Named[] = [
    own?.role.kind === "leading" ? own.role.ask : null,
    peer?.peer?.standingVoteAsk,
    peer?.voteGiven,
    own?.peer?.standingVoteGiven,
    w.strays.beats[otherOf(id)]?.state.standingVoteAsk,
    w.strays.beats[id]?.state.standingVoteGiven,
  ];
  return [...new Set(places.flatMap((n) => (n === null || n === undefined ? [] : [n.id])))];
}

/** A standing vote that answers no ask which anybody still holds can never be taken. */
function withoutSpentVotes(w: World): World {
  let next = w;
  for (const id of IDS) {
    const own = live(w[id])?.state;
    const peer = live(w[otherOf(id)])?.state;
    const open = [
      own?.role.kind === "leading" ? own.role.ask?.id : null,
      peer?.peer?.standingVoteAsk?.id,
      w.strays.beats[otherOf(id)]?.state.standingVoteAsk?.id,
    ];
    const given = peer?.voteGiven?.id;
    if (given !== undefined && !open.includes(given)) {
      next = { ...next, [otherOf(id)]: withoutVote(next[otherOf(id)]) };
    }
    const taken = own?.peer?.standingVoteGiven?.id;
    if (taken !== undefined && open[0] !== taken) next = { ...next, [id]: withoutTaken(next[id]) };
  }
  return next;
}

const withoutVote = memo((node: ExploredNode): ExploredNode => {
  if (node.kind === "dead") return node;
  const { shown } = node.state;
  const peerState = shown === null ? null : { ...shown.peerState, standingVoteGiven: null };
  const told = shown === null || peerState === null ? null : { ...shown, peerState };
  return { ...node, state: { ...node.state, voteGiven: null, shown: told } };
});

const withoutTaken = memo((node: ExploredNode): ExploredNode => {
  if (node.kind === "dead" || node.state.peer === null) return node;
  const peer = { ...node.state.peer, standingVoteGiven: null };
  return { ...node, state: { ...node.state, peer } };
});

export function withCanonicalAsks(was: World): World {
  const w = withoutSpentVotes(was);
  const names = new Map<string, string>();
  let isCanonical = true;
  for (const id of IDS) {
    namesOf(w, id).forEach((name, i) => {
      const to = `${id}.ask${i + 1}`;
      if (name !== to) isCanonical = false;
      names.set(name, to);
    });
  }
  if (isCanonical) return w;
  const rename = <N extends Named>(n: N): N =>
    n === null || n === undefined ? n : { ...n, id: names.get(n.id) ?? n.id };
  return {
    ...w,
    a: renamedNode(w.a, rename),
    b: renamedNode(w.b, rename),
    strays: renamedStrays(w.strays, rename),
  };
}

type Rename = <N extends Named>(n: N) => N;

const renamedState = (s: PeerState, rename: Rename): PeerState => ({
  ...s,
  standingVoteAsk: rename(s.standingVoteAsk),
  standingVoteGiven: rename(s.standingVoteGiven),
});

function renamedNode(node: ExploredNode, rename: Rename): ExploredNode {
  if (node.kind === "dead") return node;
  const { role, peer, shown, voteGiven } = node.state;
  const state = {
    ...node.state,
    role: role.kind === "leading" ? { ...role, ask: rename(role.ask) } : role,
    peer: peer === null ? null : renamedState(peer, rename),
    voteGiven: rename(voteGiven),
    shown: shown === null ? null : { ...shown, peerState: renamedState(shown.peerState, rename) },
  };
  return { ...node, state };
}

function renamedStrays(strays: Strays, rename: Rename): Strays {
  const { a, b } = strays.beats;
  const beats = {
    ...(a === undefined ? {} : { a: { ...a, state: renamedState(a.state, rename) } }),
    ...(b === undefined ? {} : { b: { ...b, state: renamedState(b.state, rename) } }),
  };
  return { ...strays, beats };
}
