import type { World } from "./world.ts";

/** Nothing but heartbeats for so long: all that counts time since an event has come to rest. */
const SETTLED_MS = 12_000;
/**
 * After so long everything that comes again and again is where it was: heartbeats (200 ms), ticks
 * and turns (50 and 100 ms), looks of checkers (600 ms), probes of connections (6.7 s), and the
 * nodes' questions whether the witness is still there (20.1 s). So a multiple of it can be left out,
 * and nobody notices: sim.test.ts compares both.
 */
const PERIOD_MS = 40_200;

/** Leaves out stretches in which nothing can happen but heartbeats. */
export class Quiet {
  readonly #world: World;
  #lastWorkMs = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Something happens, or has just happened. */
  end(): void {
    this.#lastWorkMs = this.#world.clock.nowMs;
  }

  /** Called when all that has happened for a while is routine. */
  skip(): void {
    const { clock, net, troubles } = this.#world;
    if (troubles > 0 || clock.nowMs - this.#lastWorkMs < SETTLED_MS) return;
    const parts = this.#world.modules.flatMap((module) => module.both());
    if (parts.some((part) => part.readMs < this.#lastWorkMs)) return;
    const untilMs = clock.calendarMs ?? Number.POSITIVE_INFINITY;
    const periods = Math.floor((Math.min(untilMs, clock.endMs) - clock.nowMs - 1) / PERIOD_MS);
    if (periods < 1 || clock.nextMs("work") !== null) return;
    if (!net.isCalm || !this.#isSteady() || !this.#world.isInSync()) return;
    clock.skip(periods * PERIOD_MS);
    this.#world.see("skipped");
  }

  #isSteady(): boolean {
    return this.#world.both().every(({ machine }) => machine.rate === 1 && machine.freeze === null);
  }
}
