import { Buffer } from "node:buffer";
import {
  FRESH_WINDOW,
  isFresh,
  noteSeen,
  type ReplayWindow,
} from "#model/heartbeat/replay-window.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import { areEqual } from "#model/shared/equal.ts";
import type { Epoch, ModuleId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { FenceTargets, GuardReport } from "../../node-agent/guard/fence-order.ts";
import { type CorePorts, HeartbeatCore } from "../../node-agent/peer/heartbeat-core.ts";
import type {
  HeartbeatModule,
  Heartbeats,
  HeartbeatView,
  PeerStateMessage,
  PromiseAnswer,
  PromiseTerms,
} from "../../node-agent/peer/heartbeats.ts";
import { MainProgress } from "../../node-agent/peer/lease-cell.ts";
import { parsePeerState } from "../../node-agent/peer/peer-state-schema.ts";
import type { OpenError } from "../../node-agent/peer/sealed-datagram.ts";
import type { SessionKeys } from "../../node-agent/peer/session-keys.ts";
import type { ThreadCommand, ThreadEvent } from "../../node-agent/peer/thread-messages.ts";
import type { Life, Machine } from "./machine.ts";
import { isDamaged, type SimNet } from "./sim-net.ts";

/**
 * The heartbeat thread of a simulated agent: the production mind (heartbeat-core.ts) with tasks for
 * its timers and the simulated network for its socket; and the main thread's side of it.
 */

export type HeartbeatOptions = {
  readonly machine: Machine;
  readonly life: Life;
  readonly net: SimNet;
  readonly peer: string;
  readonly instanceId: string;
  readonly heartbeatMs: number;
  readonly hangAfterMs: number;
  readonly onGuardReport: (report: GuardReport) => void;
  /** For judges: what this node says and promises. True: the agent died of it. */
  readonly onPublish: (moduleId: ModuleId, state: PeerState) => boolean;
  readonly onPromise: (moduleId: ModuleId, epoch: Epoch | null) => boolean;
  readonly onSent: () => void;
};

const SOON_MS = 20;
/** Half as often as the real ones, which is within what they may be late. */
const GUARD_FEED_MS = 100;
const PROGRESS_MS = 600;
const HAND_OVER_MS = 0.05;

/** Seals by name only: who has no session cannot read, and nothing is taken twice. */
class SimSealer {
  #sessions: { id: string; sent: number; window: ReplayWindow }[] = [];

  addSession({ sessionId }: SessionKeys): void {
    const id = Buffer.from(sessionId).toString("hex");
    if (this.#sessions.some((session) => session.id === id)) return;
    this.#sessions = [{ id, sent: 0, window: FRESH_WINDOW }, ...this.#sessions].slice(0, 2);
  }

  seal(text: string): Buffer | null {
    const session = this.#sessions[0];
    if (session === undefined) return null;
    session.sent += 1;
    return Buffer.from(`${session.id} ${session.sent} ${text}`);
  }

  open(datagram: Buffer): Result<string, OpenError> {
    const sealed = datagram.toString();
    const idEnds = sealed.indexOf(" ");
    const counterEnds = sealed.indexOf(" ", idEnds + 1);
    const id = sealed.slice(0, idEnds);
    const session = this.#sessions.find((one) => one.id === id);
    if (session === undefined) return err("unknownSession");
    const counter = Number(sealed.slice(idEnds + 1, counterEnds));
    if (!isFresh(session.window, counter)) return err("replayed");
    // Before anything of it counts, as the real one does: a wrong counter would shut out all others.
    if (isDamaged(datagram)) return err("unauthentic");
    session.window = noteSeen(session.window, counter);
    return ok(sealed.slice(counterEnds + 1));
  }
}

export class SimHeartbeats implements Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #core: HeartbeatCore;
  readonly #progress = new MainProgress();
  readonly #pending = new Map<number, (answer: PromiseAnswer) => void>();
  readonly #onPeerState: ((message: PeerStateMessage) => void)[] = [];
  readonly #onView: ((view: HeartbeatView) => void)[] = [];
  #requestId = 0;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  #isBeatPlanned = false;
  #isClosed = false;
  /** What the peer said last of each module, and what that means. */
  readonly #said = new Map<
    ModuleId,
    { readonly said: unknown; readonly means: PeerState | null }
  >();

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const { machine, instanceId, heartbeatMs, hangAfterMs } = options;
    const ports: CorePorts = {
      bootMs: machine.bootMs,
      send: (_, datagram) => this.#send(datagram),
      post: (event) => this.#onMain(event),
      sealer: new SimSealer(),
    };
    const ends = { localAddress: "", localPort: 0, peerAddress: "", peerPort: 0 };
    this.#core = new HeartbeatCore(
      {
        ...{ nodeId: machine.id, instanceId, bootId: machine.bootId, heartbeatMs, hangAfterMs },
        networks: [{ name: "lan", ...ends }],
        mainProgress: this.#progress.buffer,
        guardDescriptor: null,
      },
      ports,
    );
    this.#beatAgain();
    this.#feedAgain();
    this.#progressAgain();
  }

  /** A datagram has come to this machine. */
  receive(datagram: Buffer): void {
    if (this.#isClosed) return;
    this.#core.receive(0, datagram);
  }

  setModule({ moduleId, cell }: HeartbeatModule): void {
    this.#tell({ kind: "setModule", moduleId, cell: cell.buffer });
  }

  removeModule(moduleId: ModuleId): void {
    this.#tell({ kind: "removeModule", moduleId });
  }

  publish(moduleId: ModuleId, state: PeerState): void {
    if (this.#options.onPublish(moduleId, state)) return;
    this.#tell({ kind: "publish", moduleId, stateJson: JSON.stringify(state) });
  }

  seekGrant(moduleId: ModuleId, epoch: Epoch | null): void {
    this.#tell({ kind: "seekGrant", moduleId, epoch });
  }

  promise(moduleId: ModuleId, terms: PromiseTerms | null): Promise<PromiseAnswer> {
    this.#requestId += 1;
    const requestId = this.#requestId;
    const { promise, resolve } = Promise.withResolvers<PromiseAnswer>();
    if (this.#options.onPromise(moduleId, terms?.epoch ?? null)) return promise;
    this.#pending.set(requestId, resolve);
    this.#tell({ kind: "promise", requestId, moduleId, terms });
    return promise;
  }

  addSession(keys: SessionKeys): void {
    this.#tell({ kind: "addSession", keys });
  }

  guard(moduleId: ModuleId, targets: FenceTargets | null): void {
    this.#tell({ kind: "guard", moduleId, targets });
  }

  onPeerState(listener: (message: PeerStateMessage) => void): void {
    this.#onPeerState.push(listener);
  }

  onView(listener: (view: HeartbeatView) => void): void {
    this.#onView.push(listener);
  }

  onGuardLost(): void {}
  onNetworkFailed(): void {}
  onFailure(): void {}

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#options.onGuardReport(this.#core.guardReport());
    this.#isClosed = true;
  }

  #tell(command: Exclude<ThreadCommand, { kind: "close" }>): void {
    const { machine, life } = this.#options;
    machine.after(life, "heartbeat", "work", HAND_OVER_MS, () => {
      if (this.#isClosed) return;
      if (this.#core.take(command)) this.#beatSoon();
      if (command.kind === "guard") this.#options.onGuardReport(this.#core.guardReport());
    });
  }

  #send(datagram: Buffer): void {
    const { net, machine, peer, onSent } = this.#options;
    onSent();
    // Its bytes are the caller's again once this returns; nobody changes them here.
    const isRoutine = machine.clock.running === "routine";
    net.carry(machine.id, peer, () => this.onDatagram(datagram), isRoutine);
  }

  /** Brings a datagram to the peer's present agent; set by the world. */
  onDatagram: (datagram: Buffer) => void = () => undefined;

  #beat(): void {
    this.#isBeatPlanned = false;
    this.#lastBeatMs = this.#options.machine.bootMs();
    this.#core.beat();
  }

  #beatSoon(): void {
    if (this.#isBeatPlanned) return;
    this.#isBeatPlanned = true;
    const { machine, life } = this.#options;
    const delayMs = Math.max(0, SOON_MS - (machine.bootMs() - this.#lastBeatMs));
    machine.after(life, "heartbeat", "work", delayMs, () => {
      if (!this.#isClosed) this.#beat();
    });
  }

  #beatAgain(): void {
    const { machine, life, heartbeatMs } = this.#options;
    machine.after(life, "heartbeat", "routine", heartbeatMs, () => {
      if (this.#isClosed) return;
      this.#beat();
      this.#beatAgain();
    });
  }

  #feedAgain(): void {
    const { machine, life, onGuardReport } = this.#options;
    machine.after(life, "heartbeat", "routine", GUARD_FEED_MS, () => {
      if (this.#isClosed) return;
      onGuardReport(this.#core.guardReport());
      this.#feedAgain();
    });
  }

  #progressAgain(): void {
    const { machine, life } = this.#options;
    machine.after(life, "main", "routine", PROGRESS_MS, () => {
      this.#progress.count();
      if (!this.#isClosed) this.#progressAgain();
    });
  }

  #onMain(event: ThreadEvent): void {
    const { machine, life } = this.#options;
    machine.run(life, "main", () => this.#take(event));
  }

  #take(event: ThreadEvent): void {
    if (this.#isClosed) return;
    if (event.kind === "promiseTaken") {
      this.#pending.get(event.requestId)?.(event.answer);
      this.#pending.delete(event.requestId);
    } else if (event.kind === "peerState") {
      const { kind: _, ...message } = event;
      // Nearly always the same as before: judging it again would only take time.
      let known = this.#said.get(message.moduleId);
      if (known === undefined || !areEqual(message.state, known.said)) {
        known = { said: message.state, means: parsePeerState(message.state) };
        this.#said.set(message.moduleId, known);
      }
      const state = known.means;
      if (state === null) return;
      for (const listener of this.#onPeerState) listener({ ...message, state });
    } else if (event.kind === "view") {
      for (const listener of this.#onView) listener(event.view);
    }
  }
}
