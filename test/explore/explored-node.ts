/**
 * One node as the explorer sees it: the production decision (`decideNode`), and around it the least
 * of a shell that can tell a right decision from a wrong one. Everything is plain data, so that two
 * nodes which differ in nothing that matters are the same text.
 *
 * One *step* is what a node does about one happening, without anything else in between: the
 * decision, its effects in order, and the decisions about what those effects answer at once (a
 * promise closed, a receiver drained, a signature made). The one thing that may come in between is
 * a crash: after each durable write, before what that write allows.
 */
import type { NodeDisk } from "#model/quorum/disk.ts";
import { type KeptPlane, mayKeep } from "#model/quorum/kept.ts";
import { decideNode, type NodeState } from "#model/quorum/node.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import { brokenOrder } from "#model/quorum/testing/judge.ts";
import { HOLDER_SHARE } from "#model/quorum/timers.ts";
import type { Command, NodeConfig, NodeEffect, NodeEvent } from "#model/quorum/types.ts";
import type { VoteAnswer } from "#model/quorum/votes.ts";
import { assert } from "#model/shared/assert.ts";
import type { BootMs, Epoch, NodeId } from "#model/shared/ids.ts";
import { cellName } from "./cells.ts";
import { NOW_MS, TICK_MS } from "./explored-timers.ts";
import { inOrder } from "./in-order.ts";

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

export type Step = {
  readonly node: LiveNode;
  /** The node's clock at the end. */
  readonly nowMs: BootMs;
  /** Epochs that the data plane began to serve. */
  readonly served: readonly Epoch[];
  /** Everything in this copy is on the disk. */
  readonly isSynced: boolean;
  /** What would be left of the node had it died right after each of its durable writes. */
  readonly crashes: readonly DeadNode[];
  /** Role and event of each decision, for the count of cells. */
  readonly cells: readonly string[];
};

/** More than any chain of answers needs. */
const DECISIONS_MAX = 40;

export function step(config: NodeConfig, was: ExploredNode, happening: Happening): Step {
  return new NodeStep(config, was).run(happening);
}

const FRESH_SHELL: Shell = {
  promise: null,
  promiseEndsMs: null,
  seek: null,
  grants: {},
  data: { kind: "refuse" },
  refuseBelow: 0,
  isFenced: false,
  links: {},
  flush: null,
  runsService: false,
  disk: null,
};

/** A plane that may not be kept is ended, and its application with it. */
function shellOf({ self }: NodeConfig, { disk, plane, runsService }: DeadNode): Shell {
  const kept = plane === null ? null : keptOf(plane);
  if (plane === null || kept === null || !mayKeep(disk, kept, self)) {
    return { ...FRESH_SHELL, runsService: plane === null && runsService };
  }
  // What nobody had been told of is told with the rest.
  const links = Object.fromEntries(
    Object.entries(plane.links).map(([id, link]) => [id, link === "untold" ? "live" : link]),
  );
  return { ...FRESH_SHELL, ...plane, links, runsService: true, isFenced: true };
}

/** A stream that broke, of which nobody has heard yet, is told as one that runs. */
function keptOf({ data, links }: Plane): KeptPlane | null {
  const up = Object.keys(links).filter((id) => links[id] !== "none");
  const { kind } = data;
  if (kind === "refuse") return null;
  if (kind === "follow") return { role: "secondary", epoch: data.epoch, isAttached: up.length > 0 };
  const attached = up.filter((id) => data.ackBy.includes(id));
  return { role: "primary", epoch: data.epoch, attached };
}

export const planeOf = ({ data, links, isFenced, refuseBelow }: Shell): Plane | null =>
  data.kind === "refuse" ? null : { data, links, isFenced, refuseBelow };

class NodeStep {
  readonly #config: NodeConfig;
  readonly #was: ExploredNode;
  #state: NodeState | null;
  #shell: Shell;
  #disk: NodeDisk | null;
  #nowMs = NOW_MS;
  readonly #events: NodeEvent[] = [];
  readonly #served: Epoch[] = [];
  readonly #crashes: DeadNode[] = [];
  readonly #cells: string[] = [];
  #isSynced = false;

  constructor(config: NodeConfig, was: ExploredNode) {
    this.#config = config;
    this.#was = was;
    const isLive = was.kind === "live";
    this.#state = isLive ? { ...was.state, config } : null;
    this.#shell = isLive ? was.shell : shellOf(config, was);
    this.#disk = isLive ? (was.shell.disk ?? was.state.disk) : was.disk;
  }

  run(happening: Happening): Step {
    this.#take(happening);
    this.#decideAll();
    const state = this.#state;
    assert(state !== null, "a step ends with a node that lives");
    const { config: _, ...mind } = state;
    const isWritten = JSON.stringify(this.#disk) === JSON.stringify(state.disk);
    this.#patch({ disk: isWritten ? null : this.#disk });
    return {
      node: { kind: "live", state: mind, shell: this.#shell },
      nowMs: this.#nowMs,
      served: this.#served,
      isSynced: this.#isSynced,
      crashes: this.#crashes,
      cells: this.#cells,
    };
  }

  #decideAll(): void {
    for (let count = 0; this.#events.length > 0; count += 1) {
      assert(count < DECISIONS_MAX, "a node that answers itself for ever");
      const event = this.#events.shift();
      if (event !== undefined) this.#decide(event);
    }
  }

  #take(h: Happening): void {
    switch (h.kind) {
      case "timePasses":
        this.#passTime(h);
        return;
      case "peerHeard":
        this.#hear(h);
        return;
      case "heartbeatAnswered":
        this.#win(h.peer, h.epoch);
        this.#events.push(this.#view(h.peer));
        return;
      case "answered":
        this.#events.push({
          kind: "voteAnswered",
          requestId: h.answer.requestId,
          answer: h.answer,
        });
        return;
      case "unanswered":
        this.#events.push({ kind: "voteFailed", requestId: h.requestId, cause: "no answer" });
        return;
      case "commanded":
        this.#events.push(h);
        return;
      case "booted":
        this.#boot(h.data);
        return;
      default:
        this.#takeLink(h.kind, h.peer);
    }
  }

  #passTime({ beats, answered }: Extract<Happening, { kind: "timePasses" }>): void {
    const { peers } = this.#config;
    const endMs = this.#nowMs + TICK_MS;
    // Heartbeats came all along: no peer that is heard is silent for a moment before its turn.
    if (peers.length > 1) {
      for (const { state } of beats) this.#events.push(this.#view(state.nodeId, endMs));
      this.#decideAll();
    }
    this.#nowMs = endMs;
    for (const [peer, epoch] of Object.entries(answered)) this.#win(peer, epoch);
    for (const peer of peers) {
      const beat = beats.find((b) => b.state.nodeId === peer);
      if (beat === undefined) this.#events.push(this.#view(peer));
      else this.#hear(beat);
    }
    this.#events.push({ kind: "ticked" });
  }

  #takeLink(kind: LinkHappening, peer: NodeId): void {
    const { data } = this.#shell;
    switch (kind) {
      case "attached":
        // The data plane requires the peer from the attachment on, before anybody is told.
        if (data.kind === "serve") {
          const ackBy = [...new Set([...data.ackBy, peer])].sort();
          this.#patch({ data: { ...data, ackBy } });
        }
        this.#link(peer, "untold");
        return;
      case "linkBroken":
        if (linkOf(this.#shell, peer) !== "none") this.#link(peer, "broken");
        return;
      case "linkTold":
        this.#tellLink(peer);
        return;
      case "flushed":
        this.#patch({ flush: null });
        this.#events.push({ kind: "peerFlushed", peer });
        return;
      case "flushFailed":
        this.#patch({ flush: null });
        this.#events.push({ kind: "flushFailed", peer, cause: "the stream broke" });
        return;
    }
  }

  #link(peer: NodeId, link: Link): void {
    const { [peer]: _, ...others } = this.#shell.links;
    const links = link === "none" ? others : inOrder({ ...others, [peer]: link });
    this.#patch({ links });
  }

  #tellLink(peer: NodeId): void {
    const { data } = this.#shell;
    if (linkOf(this.#shell, peer) === "broken") {
      this.#link(peer, "none");
      this.#events.push({ kind: "replicationDetached", peer, cause: "the stream broke" });
      return;
    }
    this.#link(peer, "live");
    if (data.kind === "serve") {
      this.#events.push({ kind: "replicationAttached", peer, epoch: data.epoch });
    } else if (data.kind === "follow") {
      this.#events.push({ kind: "resyncFinished", epoch: data.epoch });
    }
  }

  /** The peer answered a heartbeat that asked for its promise. */
  #win(peer: NodeId, epoch: Epoch): void {
    const untilMs = this.#nowMs + this.#config.timers.peerLeaseMs * HOLDER_SHARE;
    this.#patch({ grants: inOrder({ ...this.#shell.grants, [peer]: { epoch, untilMs } }) });
  }

  #hear({ state, seeks }: Beat): void {
    if (seeks !== null && seeks === this.#shell.promise) {
      this.#patch({ promiseEndsMs: this.#nowMs + this.#config.timers.peerLeaseMs });
    }
    const told = { kind: "peerStateReceived", state } as const;
    this.#events.push(this.#view(state.nodeId, this.#nowMs), told);
  }

  #view(peer: NodeId, heardMs: BootMs | null = null): NodeEvent {
    const grant = this.#shell.grants[peer];
    return {
      kind: "heartbeatViewChanged",
      peer,
      lastHeardMs: heardMs ?? this.#state?.peers[peer]?.lastHeardMs ?? null,
      peerGrantUntilMs: grant?.untilMs ?? null,
      peerGrantEpoch: grant?.epoch ?? null,
    };
  }

  #boot(data: "empty" | "hasData"): void {
    assert(this.#was.kind === "dead", "only a dead node boots");
    const { self } = this.#config;
    const kept = keptOf(this.#shell);
    this.#events.push({
      kind: "started",
      disk: this.#was.disk,
      isDiskLost: false,
      bootId: this.#was.hasLostPower || this.#was.disk === null ? "os-new" : "os",
      incarnation: `${self}-boot`,
      data,
      isServiceUp: this.#shell.runsService,
      ...(kept === null ? {} : { kept }),
      atBoot: "asBefore",
      newHistoryId: "first",
    });
  }

  #decide(event: NodeEvent): void {
    const { self } = this.#config;
    this.#cells.push(cellName(this.#state?.role.kind ?? "unstarted", event.kind));
    const decision = decideNode(this.#state ?? { config: this.#config }, event, this.#nowMs);
    this.#state = decision.state;
    // What was kept is held until the first decision has been made.
    if (event.kind === "started")
      this.#patch({ isFenced: decision.state.shown?.isFenced === true });
    const broken = brokenOrder(self, decision.state, decision.effects);
    if (broken !== null) throw new BrokenPromise(broken);
    if (this.#disk !== null) checkDisk(self, this.#disk, decision.state.disk, event);
    for (const effect of decision.effects) {
      this.#apply(effect);
      if (effect.kind === "persist") this.#crashHere(effect.disk);
    }
  }

  #crashHere(disk: NodeDisk): void {
    const { runsService } = this.#shell;
    const plane = planeOf(this.#shell);
    this.#crashes.push({ kind: "dead", disk, runsService, plane, hasLostPower: false });
  }

  #patch(part: Partial<Shell>): void {
    this.#shell = { ...this.#shell, ...part };
  }

  #apply(e: NodeEffect): void {
    switch (e.kind) {
      case "persist":
        this.#disk = e.disk;
        return;
      case "fence":
        this.#patch({ isFenced: true });
        return;
      case "thaw":
        this.#patch({ isFenced: false });
        return;
      case "promise":
        this.#patch({ promise: e.epoch });
        if (e.epoch === null) {
          const lastPromiseEndsMs = this.#shell.promiseEndsMs;
          this.#events.push({ kind: "promisesClosed", lastPromiseEndsMs });
        }
        return;
      case "seekPeerGrant": {
        const kept = Object.entries(this.#shell.grants).filter(([, g]) => g.epoch === e.epoch);
        this.#patch({ seek: e.epoch, grants: Object.fromEntries(kept) });
        for (const peer of this.#config.peers) this.#events.push(this.#view(peer));
        return;
      }
      case "sign":
        this.#events.push({ kind: "signed", text: e.text, signature: this.#config.self });
        return;
      case "setTarget": {
        const isDown = e.state === "STOP" || e.state === "WAIT";
        this.#patch({ runsService: !isDown });
        if (isDown) this.#events.push({ kind: "serviceStopped" });
        return;
      }
      case "killApplication":
        this.#endData();
        this.#patch({ runsService: false });
        this.#events.push({ kind: "serviceStopped" });
        return;
      default:
        this.#applyToData(e);
    }
  }

  #endData(): void {
    this.#patch({ data: { kind: "refuse" }, links: {}, flush: null });
  }

  #applyToData(e: NodeEffect): void {
    const { data } = this.#shell;
    switch (e.kind) {
      case "serve":
        assert(e.epoch >= this.#shell.refuseBelow, "serves an epoch that it refuses");
        if (data.kind !== "serve" || data.epoch !== e.epoch) this.#endData();
        // Whoever goes on with what was kept must hold everything, as whoever begins.
        if (data.kind !== "serve" || data.epoch !== e.epoch || this.#was.kind === "dead") {
          this.#served.push(e.epoch);
        }
        this.#patch({
          data: { kind: "serve", epoch: e.epoch, ackBy: e.ackBy },
          refuseBelow: e.epoch,
        });
        for (const peer of this.#config.peers)
          if (!e.ackBy.includes(peer)) this.#link(peer, "none");
        return;
      case "follow":
        assert(e.epoch >= this.#shell.refuseBelow, "follows an epoch that it refuses");
        if (data.kind !== "follow" || data.epoch !== e.epoch) this.#endData();
        this.#patch({ data: { kind: "follow", epoch: e.epoch }, refuseBelow: e.epoch });
        return;
      case "refuseBelow": {
        const refuseBelow = Math.max(this.#shell.refuseBelow, e.epoch);
        this.#patch({ refuseBelow });
        if (data.kind === "follow" && data.epoch < refuseBelow) this.#endData();
        return;
      }
      case "drainReceiver":
        if (data.kind === "follow") this.#endData();
        this.#events.push({ kind: "receiverDrained" });
        return;
      case "flushPeer":
        this.#patch({ flush: { peer: e.peer, epoch: e.epoch } });
        return;
      case "closeData":
        this.#endData();
        this.#isSynced = true;
        this.#events.push({ kind: "dataClosed", isSynced: true });
        return;
      default:
        return;
    }
  }
}

/** A promise of docs/QUORUM.md is broken; `message` begins with its name. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** S2 and S10: no disk goes back to an earlier epoch, or forgets what it voted for. */
function checkDisk(id: NodeId, was: NodeDisk, now: NodeDisk, event: NodeEvent): void {
  if (now.epoch < was.epoch) {
    throw new BrokenPromise(`S2: ${id} went back from epoch ${was.epoch} to ${now.epoch}`);
  }
  const voted = was.pairVote?.terms.epoch ?? 0;
  const bound = Math.max(now.epoch, now.pairVote?.terms.epoch ?? 0);
  if (bound < voted) throw new BrokenPromise(`S10: ${id} forgot its vote for epoch ${voted}`);
  const isForgotten = Math.max(now.epoch, now.asked) < was.asked;
  // No answer is not a no: only the witness's word ends a question that no epoch has overtaken.
  if (isForgotten && event.kind !== "voteAnswered") {
    throw new BrokenPromise(`S10: ${id} forgot that it asked for epoch ${was.asked}`);
  }
}
