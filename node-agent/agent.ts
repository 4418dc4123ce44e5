import { randomUUID } from "node:crypto";
import type { CommandRequest, CommandResult, NodeCommand } from "#model/contract/commands.ts";
import type { ModuleEntry, NodeConfiguration } from "#model/contract/configuration.ts";
import { EVENTS_PER_REPORT_MAX, type NodeReport } from "#model/contract/report.ts";
import type { TimerProfile } from "#model/quorum/timers.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { CommandTaker } from "./command-taker.ts";
import type { ConfigurationStore } from "./configuration/configuration-store.ts";
import type { InstalledModule, ModuleStore } from "./configuration/module-store.ts";
import { AnswerWatch } from "./control-plane/answer-watch.ts";
import { type ControlPlaneClient, describeFailure } from "./control-plane/client.ts";
import { runCommand } from "./mirror/commands.ts";
import { HostedMirror } from "./mirror/hosted-mirror.ts";
import type { ModuleHappening } from "./mirror/mirror-module.ts";
import type { MirrorPortsBase } from "./mirror/open-mirror.ts";
import type { Peering } from "./peering.ts";
import type { EventOutbox } from "./reporting/event-outbox.ts";
import { Reporter } from "./reporting/reporter.ts";
import { describeError, sleep } from "./sleep.ts";

/** What the agent asks of the control plane; its votes go their own way (mirror/witness.ts). */
export type AgentClient = Pick<
  ControlPlaneClient,
  "configuration" | "archive" | "commands" | "acknowledge" | "report" | "clockOffset" | "close"
>;

/** What one agent is made of; the composition root (agent-main.ts) puts it together. */
export type AgentParts = {
  readonly nodeId: NodeId;
  readonly version: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly client: AgentClient;
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

const POLL_WAIT_MS = 20_000;
const POLL_AGAIN_MS = 1_000;
/** A module that could not be fetched or opened is tried again after this. */
const APPLY_AGAIN_MS = 10_000;
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
  readonly #commands: CommandTaker;
  readonly #reporter: Reporter;
  readonly #watch: AnswerWatch;
  /** Which replication port each module has, for as long as it is here. */
  readonly #slots = new Map<ModuleId, number>();
  /** Modules whose new version waits for them to stop. */
  readonly #awaitsStop = new Set<ModuleId>();
  readonly #toldProblems = new Map<ModuleId, string>();
  #applyTimer: NodeJS.Timeout | null = null;
  #configuration: NodeConfiguration | null = null;
  #peering: Peering | null = null;
  #applying: Promise<void> = Promise.resolve();

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { client, events, log } = parts;
    const spread = (durationMs: number) => this.#spread(durationMs);
    const watch = new AnswerWatch((happening) => this.#tell(null, happening));
    this.#watch = watch;
    this.#commands = new CommandTaker({
      ...{ client, log, sleep, spread, watch, signal: this.#stopping.signal },
      find: (moduleId) => this.#mirrors.get(moduleId) ?? null,
    });
    this.#reporter = new Reporter({
      ...{ client, events, log, spread, watch },
      report: () => this.report(),
    });
  }

  /** Starts from what is on the disk, then follows the control plane. Resolves when it runs. */
  async start(): Promise<void> {
    const { configurations, version } = this.#parts;
    this.#tell(null, { kind: "agentStarted", severity: "S", text: `agent ${version} started` });
    const known = configurations.read();
    if (known !== null) await this.#apply(known);
    void this.#followConfiguration();
    void this.#commands.follow();
    this.#reporter.soon();
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
    this.#reporter.stop();
    if (this.#applyTimer !== null) clearTimeout(this.#applyTimer);
    await this.#applying;
    // One that cannot leave in order must not take that from the others.
    const left = await Promise.allSettled(
      [...this.#mirrors.values()].map((mirror) => mirror.leave("agentEnds")),
    );
    for (const one of left) {
      if (one.status === "rejected") this.#parts.log(`C agent ${describeError(one.reason)}`);
    }
    await this.#reporter.now();
    await this.#peering?.close();
    this.#parts.client.close();
  }

  /** Resolves when no module's script is in the middle of something, or at the bound. */
  async scriptsEnded(limitMs: number): Promise<void> {
    const ended = [...this.#mirrors.values()].map((mirror) =>
      mirror.until(() => !mirror.module.service.view.runsScripts, limitMs),
    );
    await Promise.all(ended);
  }

  /** What a person on this machine asks for, without the control plane. */
  async command(
    moduleId: ModuleId,
    request: CommandRequest,
    actor: string,
  ): Promise<Omit<CommandResult, "id">> {
    const { seenEpoch, kind, node, dataFrom, forMs, reason, withoutWitness } = request;
    const command: NodeCommand = {
      ...{
        id: actor,
        operationId: `local-${randomUUID()}`,
        moduleId,
        kind,
        actor,
        remainingMs: LOCAL_MS_MAX,
      },
      ...(node === undefined ? {} : { node }),
      ...(dataFrom === undefined ? {} : { dataFrom }),
      ...(seenEpoch === undefined ? {} : { epoch: seenEpoch }),
      ...(forMs === undefined ? {} : { forMs }),
      ...(reason === undefined ? {} : { reason }),
      ...(withoutWitness === undefined ? {} : { withoutWitness }),
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
    this.#reporter.soon();
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
        this.#watch.unanswered(answer.error);
      }
      await sleep(this.#spread(POLL_AGAIN_MS), signal);
    }
  }

  #apply(configuration: NodeConfiguration): Promise<void> {
    this.#applying = this.#applying
      .then(() => this.#applyNow(configuration))
      .catch((error: unknown) => {
        const text = `the configuration cannot be applied: ${describeError(error)}`;
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
    this.#reporter.soon();
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
    const installed = await this.#install(entry, configuration.cluster.timers);
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

  async #install(entry: ModuleEntry, timers: TimerProfile): Promise<InstalledModule | null> {
    const { modules, client } = this.#parts;
    for (const found of await modules.list()) {
      if (found.ok && found.value.moduleId === entry.id && found.value.sha256 === entry.sha256) {
        return found.value;
      }
    }
    const archive = await client.archive(entry.id, entry.sha256);
    const done = archive.ok
      ? await modules.install(entry, archive.value, timers)
      : ({ ok: false, error: describeFailure(archive.error) } as const);
    if (done.ok) {
      this.#toldProblems.delete(entry.id);
      return done.value;
    }
    const text = `cannot be installed: ${done.error}`;
    // It is tried again and again, as what is in the way may pass; told once.
    if (this.#toldProblems.get(entry.id) === text) return null;
    this.#toldProblems.set(entry.id, text);
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
      onChanged: () => this.#reporter.soon(),
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
      const text = `cannot be started: ${describeError(error)}`;
      this.#tell(id, { kind: "configurationChanged", severity: "C", text });
      this.#mirrors.delete(id);
      await mirror.close();
      return false;
    }
  }
}
