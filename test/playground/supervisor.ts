/**
 * What the playground shows and what its buttons do, for the page and for the terminal. It survives
 * every fault it can cause: the control plane is asked, and when it does not answer that is shown.
 */
import type { ClusterSnapshot, ModuleView } from "#model/contract/snapshot.ts";
import { describeNodeState } from "#model/states/node-state.ts";
import type { PlaygroundModule } from "./applications.ts";
import type { Playground } from "./playground.ts";

export type ShownNode = {
  readonly name: string;
  readonly shape: string;
  readonly word: string;
  readonly tone: "good" | "busy" | "warning" | "bad" | "";
  readonly serves: boolean;
  readonly replication: string;
};
export type ShownAction = {
  readonly id: string;
  readonly text: string;
  readonly isPossible: boolean;
};
export type ShownLoad = {
  /** "orders", "commits". */
  readonly noun: string;
  readonly acknowledged: number;
  readonly found: number | null;
  readonly lost: number;
  readonly unknown: number;
  readonly isServed: boolean;
  readonly text: string;
};
export type ShownFailover = {
  readonly title: string;
  readonly marks: readonly { readonly at: string; readonly node: string; readonly text: string }[];
};
export type Shown = {
  /** Null: nobody knows how to be a customer of this module. */
  readonly load: ShownLoad | null;
  /** Instead of it: whether the address answers at all. */
  readonly answer: { readonly isServed: boolean; readonly text: string } | null;
  readonly module: string;
  readonly address: string;
  readonly why: string;
  readonly nodes: readonly ShownNode[];
  /** The nodes' states are of a time when the control plane still answered. */
  readonly isOld: boolean;
  readonly link: { readonly isCut: boolean };
  readonly control: { readonly isUp: boolean; readonly text: string };
  readonly actions: readonly ShownAction[];
  readonly failover: ShownFailover | null;
  readonly consoleUrl: string | null;
};

const LOOK_MS = 500;
const COUNT_MS = 2_000;
const COUNT_PAUSE_FACTOR = 10;
const PROBE_MS_MAX = 400;
/** Without an answer for this long the customers would say that the shop is closed. */
const SILENT_MS = 1_000;

const TONES: Readonly<Record<string, ShownNode["tone"]>> = {
  success: "good",
  progress: "busy",
  warning: "warning",
  error: "bad",
};

export class Supervisor {
  readonly #playground: Playground;
  readonly #module: PlaygroundModule;
  readonly #timers: NodeJS.Timeout[] = [];
  #snapshot: ClusterSnapshot | null = null;
  #isAnswering = false;
  #found: { readonly acknowledged: number; readonly found: number } | null = null;
  #failover: ShownFailover | null = null;
  /** Asked of the nodes themselves: also known while the control plane is away. */
  #serving: ReadonlySet<string> = new Set();
  #isClosed = false;
  #countAfterMs = 0;
  #shownFailover: string | null = null;
  readonly #onFailover: (lines: readonly string[]) => void;

  constructor(
    playground: Playground,
    module: PlaygroundModule,
    onFailover: (lines: readonly string[]) => void,
  ) {
    this.#playground = playground;
    this.#module = module;
    this.#onFailover = onFailover;
    this.#repeat(() => this.#look(), LOOK_MS);
    this.#repeat(() => this.#count(), COUNT_MS);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  shown(): Shown {
    const view = this.#view();
    const { isCut, isControlRunning, consoleUrl } = this.#playground;
    const isUp = isControlRunning && this.#isAnswering;
    return {
      load: this.#shownLoad(),
      answer: this.#shownAnswer(),
      module: this.#module.name,
      address: this.#module.address(this.#playground.servicePlace),
      why: isUp ? (view?.why ?? "starting") : this.#whyWithoutControl(),
      nodes: this.#playground.nodes.map(({ name }) => this.#node(name, view, !isUp)),
      isOld: !isUp,
      link: { isCut },
      control: { isUp, text: isUp ? grantText(view) : "" },
      actions: this.#actions(view, isUp),
      failover: this.#failover,
      consoleUrl,
    };
  }

  /** Does what a button says; the answer is one sentence. */
  async act(id: string): Promise<string> {
    const playground = this.#playground;
    if (!playground.isStarted) return "not everything has started yet";
    const [verb = "", name = ""] = id.split(":");
    switch (verb) {
      case "node":
        if (playground.isNodeRunning(name)) {
          await playground.killNode(name);
          return `${name} is dead: every process of it was killed`;
        }
        playground.startNode(name);
        return `${name} starts again`;
      case "link":
        if (playground.isCut) playground.heal();
        else playground.cut();
        return playground.isCut ? "the link is cut: bytes stall" : "the link is whole";
      case "switch":
        return await this.#switchOver();
      case "control":
        if (playground.isControlRunning) {
          await playground.stopControl();
          return "the control plane is stopped; the service goes on";
        }
        await playground.startControl();
        return "the control plane runs again";
      default:
        return `there is no action ${id}`;
    }
  }

  async #switchOver(): Promise<string> {
    const answer = await this.#playground.people?.command(this.#module.name, {
      kind: "switchover",
    });
    if (answer === undefined) return "not started yet";
    return answer.ok ? answer.value.text : `refused: ${answer.text}`;
  }

  #repeat(look: () => Promise<void>, everyMs: number): void {
    const slot = this.#timers.length;
    const again = () => {
      if (this.#isClosed) return;
      this.#timers[slot] = setTimeout(() => void look().finally(again), everyMs);
    };
    again();
  }

  #view(): ModuleView | null {
    return this.#snapshot?.modules.find((one) => one.id === this.#module.name) ?? null;
  }

  async #look(): Promise<void> {
    this.#serving = await this.#whoServes();
    const answer = await this.#playground.people?.snapshot();
    this.#isAnswering = answer?.ok === true;
    if (answer?.ok !== true) return;
    this.#snapshot = answer.value;
    await this.#lookAtFailover();
  }

  /** A failover is told once, when the service has answered again. */
  async #lookAtFailover(): Promise<void> {
    const last = this.#view()?.lastFailover;
    if (last === undefined || last === null || last.kind === "start") return;
    if (last.serviceDownMs === null || last.id === this.#shownFailover) return;
    const picture = await this.#playground.people?.failover(this.#module.name, last.id);
    if (picture?.ok !== true) return;
    this.#shownFailover = last.id;
    const seconds = (last.serviceDownMs / 1000).toFixed(1);
    const title = `${last.kind} from ${last.fromNode ?? "nobody"} to ${last.toNode}: ${seconds} s`;
    const marks = picture.value.marks.map((mark) => ({
      at: `+${(mark.offsetMs / 1000).toFixed(2)} s`,
      node: mark.node ?? "",
      text: mark.text,
    }));
    this.#failover = { title, marks };
    await this.#count();
    const load = this.#shownLoad();
    this.#onFailover([
      title,
      ...marks.map(({ at, node, text }) => `${at.padStart(9)}  ${node.padEnd(5)}  ${text}`),
      ...(load === null ? [] : [countText(load)]),
    ]);
  }

  /** The nodes whose probe says that they may answer: ready, and holding a live grant. */
  async #whoServes(): Promise<ReadonlySet<string>> {
    const asked = this.#playground.nodes.map(async ({ name, probeUrl }) => {
      try {
        const signal = AbortSignal.timeout(PROBE_MS_MAX);
        const answer = await fetch(`${probeUrl}/var/modules/${this.#module.name}/ready.txt`, {
          signal,
        });
        await answer.text();
        return answer.status === 200 ? [name] : [];
      } catch {
        return [];
      }
    });
    return new Set((await Promise.all(asked)).flat());
  }

  #whyWithoutControl(): string {
    if (this.#playground.people === null) return "starting";
    const [serving] = this.#serving;
    const now = serving === undefined ? "No node serves now." : `${serving} serves.`;
    return `The control plane is away. ${now}`;
  }

  /** Counting is work for the application too: never more than a small part of its time. */
  async #count(): Promise<void> {
    const startedMs = performance.now();
    if (startedMs < this.#countAfterMs) return;
    const found = await this.#playground.load?.found();
    if (found !== undefined && found !== null) this.#found = found;
    const nowMs = performance.now();
    this.#countAfterMs = nowMs + COUNT_PAUSE_FACTOR * (nowMs - startedMs);
  }

  #shownLoad(): ShownLoad | null {
    const { load } = this.#playground;
    if (load === null) return null;
    const { acknowledged, unknown, silentMs, perSecond } = load.counts();
    const found = this.#found;
    const lost = found === null ? 0 : found.acknowledged - found.found;
    const isServed = acknowledged > 0 && silentMs < SILENT_MS;
    const none = acknowledged === 0 ? "none answered yet" : "no answer";
    return {
      ...{ noun: load.noun, acknowledged, unknown, lost, isServed },
      // Counted together: what was acknowledged since the count is not missing.
      found: found === null ? null : acknowledged - lost,
      text: isServed ? `${perSecond} a second` : `${none} for ${(silentMs / 1000).toFixed(1)} s`,
    };
  }

  #shownAnswer(): Shown["answer"] {
    const { answers } = this.#playground;
    if (answers === null) return null;
    const { silentMs, watchedMs } = answers;
    const isServed = silentMs !== null && silentMs < SILENT_MS;
    if (isServed) return { isServed, text: "answers" };
    const seconds = ((silentMs ?? watchedMs) / 1000).toFixed(1);
    return {
      isServed,
      text: `${silentMs === null ? "has not answered" : "no answer"} for ${seconds} s`,
    };
  }

  #node(name: string, view: ModuleView | null, isOld: boolean): ShownNode {
    const entry = view?.nodes.find((one) => one.nodeId === name);
    // What was reported before the node died and was started again is of another life.
    const isOfThisLife = (entry?.receivedAtMs ?? 0) > this.#playground.startedAtMs(name);
    const report = isOfThisLife ? (entry?.report ?? null) : null;
    const isRunning = this.#playground.isNodeRunning(name);
    if (!isRunning || report === null || entry === undefined) {
      const isDead = !isRunning && this.#playground.isStarted;
      const look = isDead
        ? ({ shape: "✕", word: "dead", tone: "bad" } as const)
        : ({ shape: "◌", word: "starting", tone: "busy" } as const);
      return { name, ...look, serves: false, replication: "" };
    }
    if (isOld) return this.#nodeWithoutControl(name);
    const { resync, attached } = report.replication ?? { resync: null, attached: false };
    const percent =
      resync === null || resync.totalBytes === 0
        ? null
        : (100 * resync.doneBytes) / resync.totalBytes;
    const look = describeNodeState({
      state: report.state,
      status: report.readiness,
      isFenced: report.quorum?.fenced ?? false,
      isReachable: !entry.silent,
      resyncPercent: percent,
    });
    const serves = ["PRIM", "ALONE"].includes(report.state) && !entry.silent;
    return {
      ...{ name, shape: look.shape, word: look.word, tone: TONES[look.tone] ?? "", serves },
      replication: replicationText(serves, attached, percent, report.quorum?.outdated ?? false),
    };
  }

  /** Only what the node itself says: everything else is of an earlier time. */
  #nodeWithoutControl(name: string): ShownNode {
    const serves = this.#serving.has(name);
    const word = serves ? "serves" : "runs";
    const tone = serves ? "good" : "";
    const replication = "more is known when the control plane is back";
    return { name, shape: serves ? "●" : "○", word, tone, serves, replication };
  }

  #actions(view: ModuleView | null, isControlUp: boolean): readonly ShownAction[] {
    const { isCut, isControlRunning, isStarted } = this.#playground;
    const isProtected = view?.health === "Protected";
    return [
      ...this.#playground.nodes.map(({ name }) => ({
        id: `node:${name}`,
        text: this.#playground.isNodeRunning(name) ? `Kill ${name}` : `Restart ${name}`,
        isPossible: isStarted,
      })),
      { id: "link", text: isCut ? "Mend the link" : "Cut the link", isPossible: isStarted },
      { id: "switch", text: "Switch over", isPossible: isControlUp && isProtected },
      {
        id: "control",
        text: isControlRunning ? "Stop control plane" : "Start control plane",
        isPossible: isStarted,
      },
    ];
  }
}

/** "3395 orders acknowledged, 3395 found", and what is neither. */
export function countText(load: ShownLoad): string {
  const unknown = load.unknown === 0 ? "" : `, ${load.unknown} unknown`;
  const lost = load.lost === 0 ? "" : `, ${load.lost} LOST`;
  return `${load.acknowledged} ${load.noun} acknowledged, ${load.found ?? "–"} found${unknown}${lost}`;
}

function replicationText(
  serves: boolean,
  isAttached: boolean,
  percent: number | null,
  isOutdated: boolean,
): string {
  if (percent !== null) return `resync ${Math.floor(percent)} %`;
  if (isAttached) return serves ? "every write is on both nodes" : "holds every write";
  if (serves) return "writes alone";
  return isOutdated ? "may lack writes: does not take over" : "";
}

function grantText(view: ModuleView | null): string {
  const primary = view?.witness?.primary;
  const serving = view?.nodes.find((one) => one.nodeId === primary && !one.silent)?.report;
  const voters = serving?.quorum?.grant?.voters.join(", ");
  const epoch = view?.witness?.epoch ?? 0;
  if (voters === undefined) return `epoch ${epoch}`;
  return `epoch ${epoch}; the primary's grant is of ${voters}`;
}
