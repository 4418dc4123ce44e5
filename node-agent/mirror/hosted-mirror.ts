import type { ModuleReport } from "#model/contract/report.ts";
import type { MirrorConfig } from "#model/module/config.ts";
import type { NodeId, UnixMs } from "#model/shared/ids.ts";
import { ok, type Result } from "#model/shared/result.ts";
import { isServing } from "#model/states/lifecycle.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import type { InstalledModule } from "../configuration/module-store.ts";
import type { Containment } from "../modules/containment.ts";
import { runVerb } from "../modules/run-verb.ts";
import type { VerbAnswer, VerbRequest } from "../modules/safekit-verbs.ts";
import type { Peering } from "../peering.ts";
import type { EngineEvent, ResyncProgress } from "../replication/engine.ts";
import type { MirrorModule, ModuleHappening } from "./mirror-module.ts";
import { moduleReport } from "./module-report.ts";
import { type MirrorPortsBase, type OpenMirror, openMirror } from "./open-mirror.ts";
import { TrafficMeter } from "./replication-traffic.ts";
import { verbTarget } from "./verb-target.ts";

export type HostedOptions = {
  readonly ports: MirrorPortsBase;
  readonly peering: Peering;
  readonly installed: InstalledModule;
  readonly config: MirrorConfig;
  readonly nodes: readonly NodeId[];
  readonly folder: string;
  tell(happening: ModuleHappening): void;
  onChanged(): void;
  nowUnixMs(): UnixMs;
};

/** How long an orderly end may take before the rest is killed. */
const LEAVE_MS_MAX = 90_000;

/** A mirror module in its agent: tied to the peer, the guard and the reports. */
export class HostedMirror {
  readonly installed: InstalledModule;
  readonly #options: HostedOptions;
  readonly #mirror: OpenMirror;
  readonly #waiting = new Set<() => void>();
  readonly #started = Promise.withResolvers<boolean>();
  #resync: ResyncProgress | null = null;
  /** Since when the live stream runs, by the wall clock. */
  #attachedSinceMs: UnixMs | null = null;
  readonly #traffic = new TrafficMeter();
  #isClosed = false;
  #shown = "";
  #sinceMs: UnixMs;

  private constructor(options: HostedOptions, mirror: OpenMirror) {
    this.#options = options;
    this.#mirror = mirror;
    this.installed = options.installed;
    this.#sinceMs = options.nowUnixMs();
  }

  static open(options: HostedOptions, open = openMirror): Result<HostedMirror, string> {
    // The module's reactions need what is made from them: they find it when the first one happens.
    let hosted: HostedMirror | null = null;
    const { moduleId } = options.installed;
    const mirror = open(
      {
        ...options.ports,
        tell: options.tell,
        onChanged: () => hosted?.onChanged(),
        onEngineEvent: (event) => hosted?.onEngineEvent(event),
        onListening: (port) => options.peering.listens(moduleId, port),
      },
      options.installed,
      options.config,
      options.nodes,
      options.folder,
    );
    if (!mirror.ok) return mirror;
    hosted = new HostedMirror(options, mirror.value);
    return ok(hosted);
  }

  get module(): MirrorModule {
    return this.#mirror.module;
  }

  async start(): Promise<void> {
    const { peering, installed, config } = this.#options;
    for (const text of [...installed.warnings, ...this.module.service.warnings()]) {
      this.#options.tell({ kind: "configurationChanged", severity: "E", text });
    }
    try {
      const kept = await this.module.start(BOOT[config.service.boot]);
      const isAttached =
        kept?.role === "primary" ? kept.attached.length > 0 : kept?.isAttached === true;
      // Since when it is, went with the agent that knew it.
      if (isAttached) this.#attachedSinceMs = this.#options.nowUnixMs();
    } catch (error) {
      this.#started.resolve(false);
      throw error;
    }
    this.#started.resolve(true);
    peering.join(installed.moduleId, {
      onView: (view) => this.module.onView(view),
      onPeerState: (message) => this.module.onPeerState(message.state),
      onSession: (keys) => this.module.data.addSession(keys),
      onPeerListens: (addresses) => this.module.data.setPeer(addresses),
    });
  }

  /** True when the module takes part, false when it never will: a command before has to wait. */
  get started(): Promise<boolean> {
    return this.#started.promise;
  }

  probe(): "ready" | "notReady" | "fenced" {
    const { state, runsScripts } = this.module.service.view;
    if (!isServing(state) || runsScripts) return "notReady";
    return this.#mirror.cell.isLive(this.#options.ports.clock.bootMs()) ? "ready" : "fenced";
  }

  /**
   * Stopped, and nothing is mounted any more: the directories are the user's own again, and the
   * protocol has told the peer what there is to tell.
   */
  get isAtRest(): boolean {
    return this.module.service.state === "STOP" && this.module.data.isClosed;
  }

  /** Calls back once, when the module is at rest. */
  onStopped(then: () => void): void {
    const look = () => {
      if (!this.isAtRest) return;
      this.#waiting.delete(look);
      then();
    };
    this.#waiting.add(look);
    look();
  }

  /** Resolves with true when `isTrue` holds, or false at the bound. Looked at on every change. */
  until(isTrue: () => boolean, limitMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#options.ports.timers.after(limitMs, () => end(false));
    const look = () => {
      if (isTrue()) end(true);
    };
    const end = (isReached: boolean) => {
      timer.cancel();
      this.#waiting.delete(look);
      resolve(isReached);
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  onChanged(): void {
    // Scripts may end after the module has been taken out: then the guard knows it no more.
    if (this.#isClosed) return;
    const { view } = this.module.service;
    const shown = `${view.state} ${this.module.isFenced}`;
    if (shown !== this.#shown) this.#sinceMs = this.#options.nowUnixMs();
    this.#shown = shown;
    this.#tellGuard();
    for (const look of [...this.#waiting]) look();
    this.#options.onChanged();
  }

  onEngineEvent(event: EngineEvent): void {
    // The guard took the mounts away, as this agent had not been heard of in time. Whatever ran on
    // them is dead; only a new agent starts from a clean ground.
    if (event.kind === "localFault" && event.errno === ERRNO.ENODEV) {
      this.#options.ports.restartAgent(`${this.installed.moduleId}: ${event.detail}`);
    }
    if (event.kind === "attached") {
      this.#attachedSinceMs = this.#options.nowUnixMs();
      this.#resync = null;
      const text = "the live stream is attached: both copies are equal";
      this.#options.tell({ kind: "resyncFinished", severity: "S", text });
    }
    if (event.kind === "detached" || event.kind === "peerFault") this.#attachedSinceMs = null;
    if (event.kind === "resyncProgress") this.#resync = event.progress;
    if (event.kind === "resyncFailed") {
      this.#resync = null;
      this.#options.tell({ kind: "decided", severity: "E", text: `resync: ${event.reason}` });
    }
    this.#options.onChanged();
  }

  async report(): Promise<ModuleReport> {
    const { cell, trees, module } = this.#mirror;
    const { clock, machine, nodeId } = this.#options.ports;
    const until = cell.leaseUntilBootMs();
    const nowMs = clock.bootMs();
    // A standing vote has no end: shown as a day, as the wire knows numbers only.
    const remainingMs = until === null ? null : Math.min(until - nowMs, 86_400_000);
    const epoch = module.disk.epoch;
    const isPeers = cell.peerGrantUntilBootMs(epoch) > nowMs;
    const other = this.#options.nodes.find((node) => node !== nodeId) ?? "peer";
    const metrics = await module.data.engine?.metrics();
    const isPrimary = module.disk.primary === nodeId;
    const isAttached =
      this.#attachedSinceMs !== null && module.data.isOpen && module.target.state !== "ALONE";
    return moduleReport({
      ...{ module, trees, sinceMs: this.#sinceMs, resync: this.#resync },
      moduleId: this.installed.moduleId,
      nodeId,
      // Of a copy that a person forced to lead, the resync that it was in is nobody's concern any more.
      isHalfWritten: module.disk.outdated && machine.isHalfWritten(this.#options.folder),
      now: { bootMs: nowMs, unixMs: clock.unixMs() },
      version: this.installed.version,
      warnings: this.installed.warnings,
      metrics: metrics ?? null,
      traffic: metrics && isPrimary ? this.#traffic.read(metrics, nowMs) : null,
      isAttached,
      attachedSinceMs: isAttached ? this.#attachedSinceMs : null,
      leaseRemainingMs: cell.servingEpoch === null ? null : remainingMs,
      grantVoters: [isPeers || until === Number.POSITIVE_INFINITY ? other : "witness"],
    });
  }

  /** A verb of one of the module's scripts. */
  verb(request: VerbRequest): VerbAnswer {
    return runVerb(verbTarget(this.module, this.#options.tell), request);
  }

  /**
   * Stops in order, then closes. An agent that ends is no person's stop: what was started is
   * started again when it returns. An uninstalled module is not.
   */
  async leave(why: "agentEnds" | "uninstalled"): Promise<void> {
    if (why === "uninstalled") this.module.command({ kind: "stop" });
    else if (this.module.isStartWanted) this.module.stopUntilNextRun();
    await this.until(() => this.isAtRest, LEAVE_MS_MAX);
    await this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.peering.heartbeats.guard(this.installed.moduleId, null);
    this.#options.peering.leave(this.installed.moduleId);
    await this.module.close();
  }

  /** What would have to be taken down here if the agent could not do it itself. */
  #tellGuard(): void {
    const { moduleId } = this.installed;
    const { service, data } = this.module;
    const isRunning = data.isServing || isServing(service.view.state);
    this.#options.peering.heartbeats.guard(
      moduleId,
      isRunning
        ? {
            addresses: [...service.heldAddresses],
            cgroupPath: this.#mirror.containment.cgroupPath,
            processMark: markOf(this.#mirror.containment),
            mounts: [...this.#mirror.trees],
          }
        : null,
    );
  }
}

const BOOT = { on: "start", off: "stop", auto: "asBefore", ignore: "asBefore" } as const;

/** How the guard finds the processes where there is no cgroup: by what all of them carry. */
function markOf(containment: Containment): string | null {
  const [first] = Object.entries(containment.environment);
  return containment.cgroupPath !== null || first === undefined ? null : first.join("=");
}
