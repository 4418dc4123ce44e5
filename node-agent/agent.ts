import type { CommandRequest, CommandResult, NodeCommand } from "#model/contract/commands.ts";
import type { ModuleEntry, NodeConfiguration } from "#model/contract/configuration.ts";
import { EVENTS_PER_REPORT_MAX, type NodeReport } from "#model/contract/report.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import type { ConfigurationStore } from "./configuration/configuration-store.ts";
import type { InstalledModule, ModuleStore } from "./configuration/module-store.ts";
import { type ControlPlaneClient, describeFailure } from "./control-plane/client.ts";
import type { CallFailure } from "./control-plane/signed-caller.ts";
import { runCommand } from "./mirror/commands.ts";
import { HostedMirror } from "./mirror/hosted-mirror.ts";
import type { ModuleHappening } from "./mirror/mirror-module.ts";
import type { MirrorPortsBase } from "./mirror/open-mirror.ts";
import type { Peering } from "./peering.ts";
import type { EventOutbox } from "./reporting/event-outbox.ts";

/** What one agent is made of; the composition root (main.ts) puts it together. */
export type AgentParts = {
  readonly nodeId: NodeId;
  readonly version: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly client: ControlPlaneClient;
  readonly configurations: ConfigurationStore;
  readonly modules: ModuleStore;
  readonly events: EventOutbox;
  /** Opens the link and the heartbeats once the cluster's settings name this node and its peer. */
  openPeering(configuration: NodeConfiguration): Promise<Peering | null>;
  /** The n-th mirror module gets the n-th replication port. */
  mirrorPorts(peering: Peering, configuration: NodeConfiguration, slot: number): MirrorPortsBase;
  nowUnixMs(): number;
  /** 0 to 1: spreads what many nodes would otherwise do at the same moment. */
  random(): number;
  log(text: string): void;
};

const REPORT_SOON_MS = 40;
const REPORT_AGAIN_MS = 1_000;
/** A control plane that says nothing for this long is worth a word. */
const SILENCE_MS = 10_000;
const POLL_WAIT_MS = 20_000;
const POLL_AGAIN_MS = 1_000;
/** A module that could not be fetched or opened is tried again after this. */
const APPLY_AGAIN_MS = 10_000;
const ACKNOWLEDGE_TRIES_MAX = 10;
/** How long a command waits for a module that is being installed. */
const HOSTED_MS_MAX = 30_000;
const HOSTED_LOOK_MS = 100;
/** What a command on this machine may take; its caller waits for it. */
const LOCAL_MS_MAX = 110_000;

/**
 * The agent's loops. It holds no opinion of its own: what to run comes from the control plane's
 * configuration (kept on disk, so that a node starts without it), who is primary from the quorum
 * protocol of each module, what to do now from people's commands.
 */
export class Agent {
  readonly #parts: AgentParts;
  readonly #stopping = new AbortController();
  readonly #mirrors = new Map<ModuleId, HostedMirror>();
  readonly #commands = new Map<string, Promise<void>>();
  /** Which replication port each module has, for as long as it is here. */
  readonly #slots = new Map<ModuleId, number>();
  /** Modules whose new version waits for them to stop. */
  readonly #awaitsStop = new Set<ModuleId>();
  #applyTimer: NodeJS.Timeout | null = null;
  #configuration: NodeConfiguration | null = null;
  #peering: Peering | null = null;
  #reportTimer: NodeJS.Timeout | null = null;
  #reportDueMs = Number.POSITIVE_INFINITY;
  /** After a report that failed: whatever changes meanwhile, a control plane in need is left alone. */
  #reportNotBeforeMs = 0;
  #answeredAtMs = performance.now();
  /** What was told of a control plane that does not answer as it should. */
  #toldOf: "nothing" | "silence" | "turnedAway" = "nothing";
  #isReporting = false;
  #applying: Promise<void> = Promise.resolve();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** Starts from what is on the disk, then follows the control plane. Resolves when it runs. */
  async start(): Promise<void> {
    const { configurations, version } = this.#parts;
    this.#tell(null, { kind: "agentStarted", severity: "S", text: `agent ${version} started` });
    const known = configurations.read();
    if (known !== null) await this.#apply(known);
    void this.#followConfiguration();
    void this.#followCommands();
    this.#reportSoon();
  }

  get mirrors(): ReadonlyMap<ModuleId, HostedMirror> {
    return this.#mirrors;
  }

  /** Does the module serve here, with a live grant? For the probe. */
  probe(moduleId: ModuleId): "ready" | "notReady" | "fenced" {
    return this.#mirrors.get(moduleId)?.probe() ?? "notReady";
  }

  /** An orderly end: every module hands over or stops, as far as that is possible in time. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#reportTimer !== null) clearTimeout(this.#reportTimer);
    if (this.#applyTimer !== null) clearTimeout(this.#applyTimer);
    await this.#applying;
    // One that cannot leave in order must not take that from the others.
    const left = await Promise.allSettled(
      [...this.#mirrors.values()].map((mirror) => mirror.leave("agentEnds")),
    );
    for (const one of left) {
      if (one.status === "rejected") this.#parts.log(`C agent ${describe(one.reason)}`);
    }
    await this.#report();
    await this.#peering?.close();
    this.#parts.client.close();
  }

  /** What a person on this machine asks for, without the control plane. */
  async command(
    moduleId: ModuleId,
    request: CommandRequest,
    actor: string,
  ): Promise<Omit<CommandResult, "id">> {
    const { seenEpoch, kind, node, dataFrom } = request;
    const command: NodeCommand = {
      ...{ id: actor, operationId: actor, moduleId, kind, actor, remainingMs: LOCAL_MS_MAX },
      ...(node === undefined ? {} : { node }),
      ...(dataFrom === undefined ? {} : { dataFrom }),
      ...(seenEpoch === undefined ? {} : { epoch: seenEpoch }),
    };
    return await runCommand(command, this.#mirrors.get(moduleId) ?? null);
  }

  /** This node as it is now, with the events that were not confirmed yet. */
  async report(): Promise<NodeReport> {
    const { version, bootId, instanceId, events, client, nowUnixMs } = this.#parts;
    const modules = await Promise.all([...this.#mirrors.values()].map((mirror) => mirror.report()));
    const clock = client.clockOffset;
    return {
      ...{ agentVersion: version, bootId, instanceId, sentAtMs: nowUnixMs() },
      ...(clock === null
        ? {}
        : {
            clock: { offsetMs: Math.round(clock.offsetMs), errorMs: Math.ceil(clock.errorMs) },
          }),
      modules,
      links: [...(this.#peering?.links() ?? [])],
      events: [...events.take(EVENTS_PER_REPORT_MAX)],
    };
  }

  #tell(moduleId: ModuleId | null, happening: ModuleHappening): void {
    const { kind, severity, text, data } = happening;
    this.#parts.log(`${severity} ${moduleId ?? "agent"} ${text}`);
    this.#parts.events.add({
      ...{ kind, severity, text },
      ...(moduleId === null ? {} : { moduleId }),
      ...(data === undefined ? {} : { data: { ...data } }),
    });
    this.#reportSoon();
  }

  async #followConfiguration(): Promise<void> {
    const { client, log } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const known = this.#configuration?.version ?? 0;
      const answer = await client.configuration(known, POLL_WAIT_MS, signal);
      if (signal.aborted) return;
      if (answer.ok && answer.value.version !== known) await this.#apply(answer.value);
      // One that cannot be applied would be answered again at once.
      if (answer.ok && (this.#configuration?.version ?? 0) === answer.value.version) continue;
      if (!answer.ok) {
        log(`D configuration: ${describeFailure(answer.error)}`);
        this.#noteUnanswered(answer.error);
      }
      await sleep(this.#spread(POLL_AGAIN_MS), signal);
    }
  }

  #apply(configuration: NodeConfiguration): Promise<void> {
    this.#applying = this.#applying
      .then(() => this.#applyNow(configuration))
      .catch((error: unknown) => {
        const text = `the configuration cannot be applied: ${describe(error)}`;
        this.#tell(null, { kind: "decided", severity: "C", text });
      });
    return this.#applying;
  }

  async #applyNow(configuration: NodeConfiguration): Promise<void> {
    const { configurations, openPeering } = this.#parts;
    this.#peering ??= await openPeering(configuration);
    this.#configuration = configuration;
    const wanted = new Map(configuration.modules.map((entry) => [entry.id, entry]));
    for (const [id, mirror] of this.#mirrors) {
      if (!wanted.has(id)) await this.#remove(id, mirror);
    }
    let isComplete = true;
    for (const entry of configuration.modules) {
      if (!(await this.#applyModule(configuration, entry))) isComplete = false;
    }
    if (!isComplete) this.#applyAgain();
    configurations.write(configuration);
    this.#reportSoon();
  }

  /** Applies the newest configuration once more: that of the moment, not of the call. */
  #applyNewest(): void {
    const newest = this.#configuration;
    if (newest !== null && !this.#stopping.signal.aborted) void this.#apply(newest);
  }

  #applyAgain(): void {
    if (this.#applyTimer !== null) clearTimeout(this.#applyTimer);
    if (this.#stopping.signal.aborted) return;
    this.#applyTimer = setTimeout(() => this.#applyNewest(), this.#spread(APPLY_AGAIN_MS));
    this.#applyTimer.unref();
  }

  #spread(durationMs: number): number {
    return durationMs * (0.5 + this.#parts.random());
  }

  async #remove(id: ModuleId, mirror: HostedMirror): Promise<void> {
    await mirror.leave("uninstalled");
    this.#mirrors.delete(id);
    this.#slots.delete(id);
    this.#parts.modules.uninstall(id);
    this.#tell(null, { kind: "configurationRemoved", severity: "S", text: `${id} is uninstalled` });
  }

  /** False: to be tried again, as what was in the way may pass. */
  async #applyModule(configuration: NodeConfiguration, entry: ModuleEntry): Promise<boolean> {
    const running = this.#mirrors.get(entry.id);
    if (running?.installed.sha256 === entry.sha256) return true;
    if (running !== undefined && !running.isAtRest) {
      this.#awaitStop(entry, running);
      return true;
    }
    const installed = await this.#install(entry);
    if (installed === null) return false;
    if (running !== undefined) {
      // Somebody may have started it while the archive was on its way.
      if (!running.isAtRest) return false;
      await running.close();
      this.#mirrors.delete(entry.id);
    }
    return await this.#open(configuration, entry, installed);
  }

  #awaitStop(entry: ModuleEntry, running: HostedMirror): void {
    const text = `version ${entry.version} takes effect when the module is stopped`;
    this.#tell(entry.id, { kind: "configurationChanged", severity: "S", text });
    if (this.#awaitsStop.has(entry.id)) return;
    this.#awaitsStop.add(entry.id);
    running.onStopped(() => {
      this.#awaitsStop.delete(entry.id);
      this.#applyNewest();
    });
  }

  #slotOf(id: ModuleId): number {
    const taken = new Set(this.#slots.values());
    let slot = this.#slots.get(id) ?? 0;
    if (!this.#slots.has(id)) while (taken.has(slot)) slot += 1;
    this.#slots.set(id, slot);
    return slot;
  }

  async #install(entry: ModuleEntry): Promise<InstalledModule | null> {
    const { modules, client } = this.#parts;
    for (const found of await modules.list()) {
      if (found.ok && found.value.moduleId === entry.id && found.value.sha256 === entry.sha256) {
        return found.value;
      }
    }
    const archive = await client.archive(entry.id, entry.sha256);
    const done = archive.ok
      ? await modules.install(entry, archive.value)
      : ({ ok: false, error: describeFailure(archive.error) } as const);
    if (done.ok) return done.value;
    const text = `cannot be installed: ${done.error}`;
    this.#tell(entry.id, { kind: "configurationChanged", severity: "C", text });
    return null;
  }

  async #open(
    configuration: NodeConfiguration,
    entry: ModuleEntry,
    installed: InstalledModule,
  ): Promise<boolean> {
    const { config } = installed;
    if (config.mode !== "mirror" || this.#peering === null) {
      const why =
        config.mode === "mirror"
          ? "this node has no peer yet"
          : `${config.mode} modules do not run`;
      const text = `installed, but not run: ${why}`;
      this.#tell(entry.id, { kind: "configurationChanged", severity: "E", text });
      return true;
    }
    const slot = this.#slotOf(entry.id);
    const opened = HostedMirror.open({
      ports: this.#parts.mirrorPorts(this.#peering, configuration, slot),
      peering: this.#peering,
      folder: this.#parts.modules.folder(entry.id),
      ...{ installed, config, nodes: entry.nodes },
      tell: (happening) => this.#tell(entry.id, happening),
      onChanged: () => this.#reportSoon(),
      nowUnixMs: this.#parts.nowUnixMs,
    });
    if (!opened.ok) {
      const text = `cannot run: ${opened.error}`;
      this.#tell(entry.id, { kind: "configurationChanged", severity: "C", text });
      return true;
    }
    this.#mirrors.set(entry.id, opened.value);
    const text = `runs version ${entry.version} of its configuration`;
    this.#tell(entry.id, { kind: "configurationChanged", severity: "S", text });
    return await this.#start(entry.id, opened.value);
  }

  async #start(id: ModuleId, mirror: HostedMirror): Promise<boolean> {
    try {
      await mirror.start();
      return true;
    } catch (error) {
      const text = `cannot be started: ${describe(error)}`;
      this.#tell(id, { kind: "configurationChanged", severity: "C", text });
      this.#mirrors.delete(id);
      await mirror.close();
      return false;
    }
  }

  async #followCommands(): Promise<void> {
    const { client, log } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const answer = await client.commands([...this.#commands.keys()], POLL_WAIT_MS, signal);
      if (signal.aborted) return;
      if (!answer.ok) {
        log(`D commands: ${describeFailure(answer.error)}`);
        this.#noteUnanswered(answer.error);
        await sleep(this.#spread(POLL_AGAIN_MS), signal);
        continue;
      }
      for (const command of answer.value.commands) this.#take(command);
    }
  }

  #take(command: NodeCommand): void {
    if (this.#commands.has(command.id)) return;
    const done = this.#hosted(command)
      .then((mirror) => runCommand(command, mirror))
      .catch((error: unknown) => ({ outcome: "failed", text: describe(error) }) as const)
      .then(async ({ outcome, text }) => {
        await this.#acknowledge({ id: command.id, outcome, text });
        // Kept a little longer, so that a repeat of the poll does not run it again.
        setTimeout(() => this.#commands.delete(command.id), POLL_WAIT_MS * 2).unref();
      });
    this.#commands.set(command.id, done);
  }

  /** Until it has arrived the command stays known here, so that it is not carried out again. */
  async #acknowledge(result: CommandResult): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 1; attempt <= ACKNOWLEDGE_TRIES_MAX; attempt += 1) {
      const answer = await this.#parts.client.acknowledge([result]);
      if (answer.ok || signal.aborted) return;
      await sleep(this.#spread(POLL_AGAIN_MS * attempt), signal);
    }
  }

  /** The module that a command is for; one that was uploaded just now may still be on its way. */
  async #hosted(command: NodeCommand): Promise<HostedMirror | null> {
    const endMs = performance.now() + Math.min(command.remainingMs, HOSTED_MS_MAX);
    for (;;) {
      const mirror = this.#mirrors.get(command.moduleId);
      if (mirror !== undefined) return mirror;
      if (performance.now() > endMs || this.#stopping.signal.aborted) return null;
      await sleep(HOSTED_LOOK_MS, this.#stopping.signal);
    }
  }

  /** Something changed that people should see at once; several changes make one report. */
  #reportSoon(): void {
    this.#reportIn(REPORT_SOON_MS);
  }

  #reportIn(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs + delayMs, this.#reportNotBeforeMs);
    if (dueMs >= this.#reportDueMs) return;
    if (this.#reportTimer !== null) clearTimeout(this.#reportTimer);
    this.#reportDueMs = dueMs;
    this.#reportTimer = setTimeout(() => {
      this.#reportDueMs = Number.POSITIVE_INFINITY;
      if (this.#isReporting) this.#reportIn(REPORT_SOON_MS);
      else void this.#report();
    }, dueMs - nowMs);
  }

  async #report(): Promise<void> {
    const { client, events, log } = this.#parts;
    this.#isReporting = true;
    try {
      const report = await this.report();
      const answer = await client.report(report);
      if (answer.ok) {
        events.confirm(report.events);
        this.#noteAnswered();
        this.#reportIn(events.hasWaiting ? REPORT_SOON_MS : answer.value.nextReportMs);
      } else {
        log(`D report: ${describeFailure(answer.error)}`);
        const pauseMs = this.#spread(REPORT_AGAIN_MS);
        this.#reportNotBeforeMs = performance.now() + pauseMs;
        this.#noteUnanswered(answer.error);
        this.#reportIn(pauseMs);
      }
    } finally {
      this.#isReporting = false;
    }
  }

  #noteAnswered(): void {
    this.#answeredAtMs = performance.now();
    if (this.#toldOf === "nothing") return;
    this.#toldOf = "nothing";
    this.#tell(null, { kind: "decided", severity: "S", text: "the control plane answers again" });
  }

  /**
   * Told once for as long as it lasts, in this node's own log first of all: who looks at the control
   * plane sees nothing of it.
   */
  #noteUnanswered(failure: CallFailure): void {
    const isTurnedAway = failure.kind === "notAllowed";
    const isSilent = performance.now() - this.#answeredAtMs >= SILENCE_MS;
    const isKnown = this.#toldOf === "turnedAway" || (this.#toldOf === "silence" && !isTurnedAway);
    if (isKnown || !(isTurnedAway || isSilent)) return;
    this.#toldOf = isTurnedAway ? "turnedAway" : "silence";
    const text = isTurnedAway
      ? `the control plane turns this node away (${failure.detail}): a person must let it join again`
      : "the control plane does not answer: service goes on, but not without the other node";
    this.#tell(null, { kind: "decided", severity: isTurnedAway ? "C" : "E", text });
  }
}

function sleep(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      // The signal lives as long as the agent: what is not taken off stays on it for ever.
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end);
  });
}

const describe = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
