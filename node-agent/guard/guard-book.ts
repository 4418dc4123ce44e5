import type { BootMs, ModuleId } from "#model/shared/ids.ts";
import type { FenceTargets, GuardedModule, GuardReport } from "./fence-order.ts";

/**
 * When must a module be fenced? Rules without a clock or a process: the guard asks at every tick.
 */

/**
 * A live agent gets this long after the end of a lease to fence by itself. It answers no file
 * operation meanwhile (every reply looks at the lease), and its own fence can be undone when the
 * lease comes back, ours cannot.
 */
export const LIVE_AGENT_GRACE_MS = 1_000;
/** The last report of a dead or silent agent may be one feed old, and the lease renewed since. */
export const DEAD_AGENT_GRACE_MS = 100;
/** Reports stay away for this long: the agent is stopped as a whole, whatever it looks like. */
const SILENCE_MS_MAX = 500;
/**
 * What was held is taken down when no agent has taken it over for so long. As long as a primary that
 * fenced itself waits for a grant (giveUpAfter): nothing runs and nothing is answered meanwhile.
 */
export const HELD_MS_MAX = 30_000;
/** A main thread that hangs for this much longer than `hangAfterMs` never comes back. */
export const HUNG_AGENT_KILL_MS = 10_000;

type Entry = {
  readonly module: GuardedModule;
  /** A lease has been seen since the targets were named: from now on its absence means its end. */
  readonly isArmed: boolean;
  /** When the lease was seen to be gone (not: run out). */
  readonly goneAtBootMs: BootMs | null;
  readonly stage: "running" | "held" | "down";
  readonly heldAtBootMs: BootMs;
  /** The agent that spoke of it is dead, and the next one has not spoken of it yet. */
  readonly isOrphan: boolean;
};

/** A time in which the guard did not run though it should have. */
export type Gap = { readonly fromBootMs: BootMs; readonly toBootMs: BootMs };

/**
 * One module to fence now. `hold`: it must stand still, and a next agent may go on with it.
 * `takeDown`: nobody came, so it must end.
 */
export type DueFence = {
  readonly moduleId: ModuleId;
  readonly targets: FenceTargets;
  readonly step: "hold" | "takeDown";
  readonly isOrphan: boolean;
};

export class GuardBook {
  readonly #entries = new Map<ModuleId, Entry>();
  #lastReportBootMs: BootMs = Number.NEGATIVE_INFINITY;
  #hungSinceBootMs: BootMs | null = null;
  #gap: Gap | null = null;

  /**
   * This machine, or at least the guard, stood still. A live agent stood still with it and could
   * neither report nor fence: what it gets its time for counts from the end of the gap. Once: what
   * a later gap finds overdue stays overdue.
   */
  noteGap(gap: Gap): void {
    this.#gap = gap;
  }

  /**
   * The agent says this. What a dead agent left stands until the new one speaks of that module:
   * the new one does not know yet what runs, and the lease runs out all the same.
   */
  note(report: GuardReport, nowBootMs: BootMs): void {
    this.#lastReportBootMs = nowBootMs;
    if (!report.isMainHung) this.#hungSinceBootMs = null;
    else this.#hungSinceBootMs ??= nowBootMs;
    for (const module of report.modules) {
      if (module.targets === null) this.#entries.delete(module.moduleId);
      else this.#entries.set(module.moduleId, this.#nextEntry(module, nowBootMs));
    }
  }

  /** What must be taken down now. */
  due(isAgentAlive: boolean, nowBootMs: BootMs): readonly DueFence[] {
    const isSilent = nowBootMs - this.#afterGap(this.#lastReportBootMs) > SILENCE_MS_MAX;
    const isActing = isAgentAlive && !isSilent;
    const due: DueFence[] = [];
    for (const [moduleId, entry] of this.#entries) {
      const { targets } = entry.module;
      if (targets === null || !this.#isDue(entry, isActing, nowBootMs)) continue;
      const step = entry.stage === "held" ? "takeDown" : "hold";
      due.push({ moduleId, targets, step, isOrphan: entry.isOrphan });
    }
    return due;
  }

  /** All of it stands still. */
  noteHeld(moduleId: ModuleId, nowBootMs: BootMs): void {
    const entry = this.#entries.get(moduleId);
    if (entry === undefined) return;
    this.#entries.set(moduleId, { ...entry, stage: "held", heldAtBootMs: nowBootMs });
  }

  /** All of it is down; it is fenced again only after a new lease. */
  noteFenced(moduleId: ModuleId): void {
    const entry = this.#entries.get(moduleId);
    if (entry !== undefined) this.#entries.set(moduleId, { ...entry, stage: "down" });
  }

  /** The agent ended: nobody watches over the modules that it had fenced itself. */
  noteAgentDied(): void {
    this.#hungSinceBootMs = null;
    for (const [moduleId, entry] of this.#entries) {
      const module = { ...entry.module, isFencedByAgent: false };
      this.#entries.set(moduleId, { ...entry, module, isArmed: true, isOrphan: true });
    }
  }

  /** The agent lives but will never act again. */
  isAgentBeyondHope(nowBootMs: BootMs): boolean {
    const sinceMs = this.#hungSinceBootMs;
    return sinceMs !== null && nowBootMs - sinceMs >= HUNG_AGENT_KILL_MS;
  }

  #isDue(entry: Entry, isActing: boolean, nowBootMs: BootMs): boolean {
    const { module, isArmed, goneAtBootMs, stage, heldAtBootMs } = entry;
    if (stage === "down" || !isArmed) return false;
    if (isActing && module.isFencedByAgent) return false;
    if (stage === "held") return nowBootMs >= heldAtBootMs + HELD_MS_MAX;
    const endedAtMs = module.leaseUntilBootMs ?? goneAtBootMs ?? 0;
    return isActing
      ? nowBootMs >= this.#afterGap(endedAtMs) + LIVE_AGENT_GRACE_MS
      : nowBootMs >= endedAtMs + DEAD_AGENT_GRACE_MS;
  }

  /** The moment itself, or the end of the gap that it lies in or only just before. */
  #afterGap(atBootMs: BootMs): BootMs {
    if (this.#gap === null) return atBootMs;
    const { fromBootMs, toBootMs } = this.#gap;
    const isIn = fromBootMs - atBootMs <= SILENCE_MS_MAX && atBootMs <= toBootMs;
    return isIn ? toBootMs : atBootMs;
  }

  #nextEntry(module: GuardedModule, nowBootMs: BootMs): Entry {
    const was = this.#entries.get(module.moduleId);
    const { leaseUntilBootMs } = module;
    const isLive = leaseUntilBootMs !== null && nowBootMs < leaseUntilBootMs;
    const isGone = leaseUntilBootMs === null;
    return {
      module,
      isArmed: isLive || (was?.isArmed ?? false),
      goneAtBootMs: isGone ? (was?.goneAtBootMs ?? nowBootMs) : null,
      stage: isLive ? "running" : (was?.stage ?? "running"),
      heldAtBootMs: was?.heldAtBootMs ?? 0,
      isOrphan: false,
    };
  }
}
