import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { SimModule } from "./sim-module.ts";
import type { SimPart } from "./sim-part.ts";

/** What may take its own time, before the protocol alone is waited for. */
const LOOK_MS = 100;

/**
 * Since when the protocol, and nothing else, has owed something to people: service (L1), and a pair
 * in sync (L2). Whatever has a bound of its own is let end first, and is named where it is let.
 */
export class Due {
  readonly #module: SimModule;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** When there last was something else to wait for. */
  #otherwiseMs = 0;
  #apartMs = 0;
  #isHealthy = false;
  #addressMs = 0;
  #wanted = "";

  constructor(module: SimModule) {
    this.#module = module;
  }

  /** Since when a connected majority has held a node that can serve; null: it does not. */
  get serviceSinceMs(): number | null {
    return this.#isHealthy ? this.#otherwiseMs : null;
  }

  /** Since when both nodes have been there, well and joined; null: they are not. */
  get syncSinceMs(): number | null {
    return this.#isHealthy ? this.#apartMs : null;
  }

  /** Since when the reconciler alone has been waited for; null: it cannot or need not act. */
  get addressSinceMs(): number | null {
    return this.#addressMs === this.#lookedMs ? null : this.#addressMs;
  }

  look(): void {
    const { world } = this.#module;
    const { nowMs } = world.clock;
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    const isHealthy = this.#module.both().some((part) => this.#canServe(part));
    if (isHealthy !== this.#isHealthy) this.#module.tell({ ev: "healthy", on: isHealthy });
    this.#isHealthy = isHealthy;
    const isServed = this.#module.leader() !== null;
    if (!isHealthy || isServed || this.#hasOtherReason() !== null) this.#otherwiseMs = nowMs;
    this.#otherwiseMs = Math.max(this.#otherwiseMs, world.disturbedMs);
    const areThere = this.#module.both().every((part) => part.isAble && !part.isInMaintenance);
    if (!isHealthy || !areThere) this.#apartMs = nowMs;
    this.#apartMs = Math.max(this.#apartMs, world.disturbedMs);
    if (!this.#canMoveAddress()) this.#addressMs = nowMs;
  }

  /** The cloud is well, no older call is under way, and the witness knows who leads. */
  #canMoveAddress(): boolean {
    const { world, record, authority, isWitnessSure } = this.#module;
    const { driver, isWell, faults } = world.controlPlane;
    const wanted = `${record?.epoch} ${record?.primary}`;
    const isNew = wanted !== this.#wanted;
    this.#wanted = wanted;
    if (driver.fault !== null || driver.movesUnderWay > 0 || !isWell || faults.isDown) return false;
    return !isNew && isWitnessSure && record?.epoch === authority.epoch;
  }

  /** Up to date by what a majority recorded and by its own disk, well, and not alone. */
  #canServe(part: SimPart): boolean {
    const { world, authority, isWitnessSure } = this.#module;
    const { quorum } = part;
    if (!part.isAble || quorum === null || quorum.outdated) return false;
    if (!authority.inSync.includes(part.id) || world.troubles > 0) return false;
    if (!isWitnessSure && !part.peer.isAble) return false;
    return world.net.isCalm && !world.sockets.isBlocked && world.controlPlane.isWell;
  }

  /** What is waited for by right, and ends by itself; null when it is the protocol alone. */
  #hasOtherReason(): string | null {
    const { world, record } = this.#module;
    const timers = TIMER_PROFILES[world.profile];
    const grant = record?.grant ?? null;
    const able = this.#module.both().filter((part) => this.#canServe(part));
    if (grant !== null && able.every((part) => part.id !== grant.holder)) {
      const endsMs = grant.expiresAtMs + timers.witnessMarginMs;
      if (world.controlPlane.nowUnixMs < endsMs)
        return "the witness keeps its word to another node";
    }
    const isBooting = able.every((part) => part.takesPartMs < timers.bootWaitMs);
    if (isBooting) return "a node that has just begun waits for a better one";
    if (this.#module.both().some((part) => part.isStopping)) return "the application stops";
    if (able.some((part) => part.isInMaintenance)) return "maintenance";
    return null;
  }
}
