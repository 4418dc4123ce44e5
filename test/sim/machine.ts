import type { Kind, VirtualClock } from "./virtual-clock.ts";

/**
 * One simulated machine: it is on or off, its clocks drift, step, and stop while its hypervisor
 * holds it, and each of its threads can be made to stand still. Whatever runs on it is planned
 * through it, so that a frozen thread does nothing and a dead process never comes back.
 */

/** A process. When it has died, nothing that it planned or waits for ever happens. */
export type Life = { isAlive: boolean };

export type Thread = "main" | "heartbeat" | "data" | "helper" | "kernel" | "guard" | "application";
const THREADS: readonly Thread[] = [
  ...(["main", "heartbeat", "data", "helper", "kernel", "guard", "application"] as const),
];

/** `stopped`: SIGSTOP to all, clocks run on. `paused`: the hypervisor holds it, clocks stop. */
export type Freeze = "stopped" | "paused";

/** What BOOTTIME says when the machine comes up. */
const FIRST_BOOT_MS = 10_000;
const COALESCED_MS_MIN = 50;

type Parked = { readonly life: Life; readonly dueMs: number; readonly run: () => void };

export class Machine {
  readonly id: string;
  readonly clock: VirtualClock;
  isOn = false;
  bootNumber = 0;
  freeze: Freeze | null = null;
  readonly hung = new Set<Thread>();
  /** When it was last resumed from a hypervisor's pause, in the world's time. */
  resumedMs = Number.NEGATIVE_INFINITY;
  #frozenAtMs = 0;
  #rate = 1;
  #baseWorldMs = 0;
  #baseBootMs = 0;
  #unixOffsetMs: number;
  /** Where in each period this machine's timers fire: they are brought together, as kernels do. */
  readonly #phaseMs: number;
  readonly #parked = new Map<Thread, Parked[]>(THREADS.map((thread) => [thread, []]));

  constructor(id: string, clock: VirtualClock, unixOffsetMs: number, phaseMs: number) {
    this.id = id;
    this.clock = clock;
    this.#unixOffsetMs = unixOffsetMs;
    this.#phaseMs = phaseMs;
  }

  get bootId(): string {
    return `${this.id}-boot-${this.bootNumber}`;
  }

  /** CLOCK_BOOTTIME. */
  readonly bootMs = (): number => {
    const untilMs = this.freeze === "paused" ? this.#frozenAtMs : this.clock.nowMs;
    return this.#baseBootMs + (untilMs - this.#baseWorldMs) * this.#rate;
  };

  /** How long it has been on. */
  get upMs(): number {
    return this.bootMs() - FIRST_BOOT_MS;
  }

  readonly unixMs = (): number => {
    const epochMs = 1_800_000_000_000;
    return Math.floor(epochMs + this.#unixOffsetMs + this.bootMs());
  };

  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#rebase();
    this.#rate = rate;
  }

  stepWallClock(byMs: number): void {
    this.#unixOffsetMs += byMs;
  }

  powerOn(): void {
    this.isOn = true;
    this.bootNumber += 1;
    this.freeze = null;
    this.hung.clear();
    this.#baseWorldMs = this.clock.nowMs;
    this.#baseBootMs = FIRST_BOOT_MS;
  }

  powerOff(): void {
    this.isOn = false;
    this.freeze = null;
    this.hung.clear();
    for (const parked of this.#parked.values()) parked.length = 0;
  }

  /** Is that thread standing still? */
  isStill(thread: Thread): boolean {
    if (this.freeze === "paused") return true;
    if (this.freeze === "stopped") return thread !== "kernel";
    return this.hung.has(thread);
  }

  stop(how: Freeze): void {
    if (!this.isOn || this.freeze !== null) return;
    this.#frozenAtMs = this.clock.nowMs;
    this.freeze = how;
  }

  resume(): void {
    const how = this.freeze;
    if (how === null) return;
    if (how === "paused") {
      this.#baseBootMs = this.bootMs();
      this.#baseWorldMs = this.clock.nowMs;
      this.resumedMs = this.clock.nowMs;
    }
    this.freeze = null;
    for (const thread of THREADS) this.#unpark(thread, how);
  }

  hang(thread: Thread): void {
    this.hung.add(thread);
  }

  unhang(thread: Thread): void {
    if (this.hung.delete(thread)) this.#unpark(thread, "stopped");
  }

  /** Plans something of a process on one of its threads, by this machine's own clock. */
  after(life: Life, thread: Thread, kind: Kind, delayMs: number, run: () => void): () => void {
    const inMs = kind === "routine" ? this.#coalesced(delayMs) : delayMs / this.#rate;
    return this.clock.after(kind, inMs, () => this.run(life, thread, run));
  }

  #coalesced(delayMs: number): number {
    const inMs = delayMs / this.#rate;
    if (this.#rate !== 1 || delayMs < COALESCED_MS_MIN) return inMs;
    const { nowMs } = this.clock;
    const periods = Math.ceil((nowMs + inMs - this.#phaseMs) / delayMs - 1e-6);
    return periods * delayMs + this.#phaseMs - nowMs;
  }

  /** Something reaches one of its threads now: it runs at once, or when that thread goes on. */
  run(life: Life, thread: Thread, run: () => void): void {
    if (!life.isAlive || !this.isOn) return;
    if (this.isStill(thread)) {
      this.#parked.get(thread)?.push({ life, dueMs: this.clock.nowMs, run });
      return;
    }
    run();
  }

  #unpark(thread: Thread, how: Freeze): void {
    if (this.isStill(thread)) return;
    const parked = this.#parked.get(thread)?.splice(0) ?? [];
    for (const { life, dueMs, run } of parked) {
      // While paused no time passed for the machine: what was due later still is.
      const delayMs = how === "paused" ? Math.max(0, dueMs - this.#frozenAtMs) : 0;
      this.clock.after("work", delayMs, () => this.run(life, thread, run));
    }
  }

  #rebase(): void {
    const bootMs = this.bootMs();
    this.#baseBootMs = bootMs;
    this.#baseWorldMs = this.freeze === "paused" ? this.#frozenAtMs : this.clock.nowMs;
  }
}
