/**
 * What the playground shows and what its buttons do, for the page and for the terminal. It survives
 * every fault it can cause: the control plane is asked, and when it does not answer that is shown.
 */
import type { ClusterSnapshot, ModuleView } from "#model/contract/snapshot.ts";
import { describeNodeState } from "#model/states/node-state.ts";
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
export type Shown = {
  readonly orders: {
    readonly acknowledged: number;
    readonly found: number | null;
    readonly lost: number;
    readonly isServed: boolean;
    readonly text: string;
  };
  readonly why: string;
  readonly nodes: readonly ShownNode[];
  readonly link: { readonly isCut: boolean };
  readonly control: { readonly isUp: boolean; readonly text: string };
  readonly actions: readonly ShownAction[];
  readonly timeline: readonly string[];
  readonly consoleUrl: string | null;
};

const LOOK_MS = 500;
const COUNT_MS = 2_000;
/** Without an order for this long the customers would say that the shop is closed. */
const SILENT_MS = 1_000;

const TONES: Readonly<Record<string, ShownNode["tone"]>> = {
  success: "good",
  progress: "busy",
  warning: "warning",
  error: "bad",
};

export class Supervisor {
  readonly #playground: Playground;
  readonly #module: string;
  readonly #timers: NodeJS.Timeout[] = [];
  #snapshot: ClusterSnapshot | null = null;
  #isAnswering = false;
  #found: { readonly acknowledged: number; readonly found: number } | null = null;
  #timeline: readonly string[] = [];
  #shownFailover: string | null = null;
  readonly #onFailover: (lines: readonly string[]) => void;

  constructor(
    playground: Playground,
    module: string,
    onFailover: (lines: readonly string[]) => void,
  ) {
    this.#playground = playground;
    this.#module = module;
    this.#onFailover = onFailover;
    this.#repeat(() => this.#look(), LOOK_MS);
    this.#repeat(() => this.#count(), COUNT_MS);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  shown(): Shown {
    const view = this.#view();
    const { isCut, isControlRunning, consoleUrl } = this.#playground;
    const isUp = isControlRunning && this.#isAnswering;
    return {
      orders: this.#orders(),
      why: isUp ? (view?.why ?? "starting") : "The control plane is away: what is shown is old.",
      nodes: this.#playground.nodes.map(({ name }) => this.#node(name, view)),
      link: { isCut },
      control: { isUp, text: grantText(view) },
      actions: this.#actions(view, isUp),
      timeline: this.#timeline,
      consoleUrl,
    };
  }

  /** Does what a button says; the answer is one sentence. */
  async act(id: string): Promise<string> {
    const playground = this.#playground;
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
    const answer = await this.#playground.people?.command(this.#module, { kind: "switchover" });
    if (answer === undefined) return "not started yet";
    return answer.ok ? answer.value.text : `refused: ${answer.text}`;
  }

  #repeat(look: () => Promise<void>, everyMs: number): void {
    const slot = this.#timers.length;
    const again = () => {
      this.#timers[slot] = setTimeout(() => void look().finally(again), everyMs);
    };
    again();
  }

  #view(): ModuleView | null {
    return this.#snapshot?.modules.find((one) => one.id === this.#module) ?? null;
  }

  async #look(): Promise<void> {
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
    const picture = await this.#playground.people?.failover(this.#module, last.id);
    if (picture?.ok !== true) return;
    this.#shownFailover = last.id;
    this.#timeline = picture.value.marks.map(
      (mark) => `+${(mark.offsetMs / 1000).toFixed(2)} s  ${mark.node ?? ""} ${mark.text}`,
    );
    const seconds = (last.serviceDownMs / 1000).toFixed(1);
    this.#onFailover([
      `${last.kind} from ${last.fromNode ?? "nobody"} to ${last.toNode}: ${seconds} s`,
      ...this.#timeline,
    ]);
  }

  async #count(): Promise<void> {
    const found = await this.#playground.load?.found();
    if (found !== undefined && found !== null) this.#found = found;
  }

  #orders(): Shown["orders"] {
    const counts = this.#playground.load?.counts();
    const found = this.#found;
    const lost = found === null ? 0 : found.acknowledged - found.found;
    const acknowledged = counts?.acknowledged ?? 0;
    const isServed = counts !== undefined && counts.silentMs < SILENT_MS;
    const silent = ((counts?.silentMs ?? 0) / 1000).toFixed(1);
    const unknown = counts?.unknown ?? 0;
    return {
      // Counted together: an order that was acknowledged since the count is not missing.
      ...{ acknowledged, lost, isServed },
      found: found === null ? null : acknowledged - lost,
      text: isServed
        ? `${counts.perSecond} orders a second; ${unknown} got no answer, so nobody knows of them`
        : `no order for ${silent} s`,
    };
  }

  #node(name: string, view: ModuleView | null): ShownNode {
    const entry = view?.nodes.find((one) => one.nodeId === name);
    const report = entry?.report ?? null;
    const isRunning = this.#playground.isNodeRunning(name);
    if (!isRunning || report === null || entry === undefined) {
      const word = isRunning ? "starting" : "dead";
      const tone = isRunning ? "busy" : "bad";
      return { name, shape: isRunning ? "◌" : "✕", word, tone, serves: false, replication: "" };
    }
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

  #actions(view: ModuleView | null, isControlUp: boolean): readonly ShownAction[] {
    const { isCut, isControlRunning } = this.#playground;
    const isProtected = view?.health === "Protected";
    return [
      ...this.#playground.nodes.map(({ name }) => ({
        id: `node:${name}`,
        text: this.#playground.isNodeRunning(name) ? `Kill ${name}` : `Restart ${name}`,
        isPossible: true,
      })),
      { id: "link", text: isCut ? "Mend the link" : "Cut the link", isPossible: true },
      { id: "switch", text: "Switch over", isPossible: isControlUp && isProtected },
      {
        id: "control",
        text: isControlRunning ? "Stop the control plane" : "Start the control plane",
        isPossible: true,
      },
    ];
  }
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
  const serving = view?.nodes.find((one) => one.report?.quorum?.grant != null)?.report;
  const voters = serving?.quorum?.grant?.voters.join(", ");
  const epoch = view?.witness?.epoch ?? 0;
  if (voters === undefined) return `epoch ${epoch}`;
  return `epoch ${epoch}; the primary's grant is of ${voters}`;
}
