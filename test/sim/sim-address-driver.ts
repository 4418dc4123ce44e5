import type {
  AddressDriver,
  AddressWant,
  Observation,
  Step,
} from "../../functions/reconciler/address-driver.ts";
import type { Prng } from "./prng.ts";
import type { World } from "./world.ts";

/** How the cloud's interface for addresses fails: each of row C36. */
export const ADDRESS_FAULTS = [
  "error",
  "throttled",
  "hang",
  "notApplied",
  "appliedButError",
  "half",
  "denied",
] as const;
export type AddressFault = (typeof ADDRESS_FAULTS)[number];

const CALL_MS = 300;
const HANG_MS = 120_000;

/** Moves the virtual address by calls to a cloud that may be slow, fail, and land late. */
export class SimAddressDriver implements AddressDriver {
  readonly kind = "local-proxy";
  fault: AddressFault | null = null;
  /** Calls to the cloud that have not ended yet: the last of them may still move the address. */
  movesUnderWay = 0;
  readonly #world: World;
  readonly #prng: Prng;

  constructor(world: World) {
    this.#world = world;
    this.#prng = world.prng.fork("addresses");
  }

  heal(): void {
    this.fault = null;
  }

  async observe(want: AddressWant): Promise<Observation> {
    await this.#later(CALL_MS / 3);
    if (this.fault === "error" || this.fault === "throttled" || this.fault === "denied") {
      return { kind: "unknown", address: null, text: `the cloud answers ${this.fault}` };
    }
    const at = this.#world.module(want.moduleId).cloudAddress;
    const kind = at === want.nodeId ? "agrees" : "differs";
    return { kind, address: "10.0.0.100", text: `the address is at ${at ?? "nobody"}` };
  }

  async step(want: AddressWant): Promise<Step> {
    const { fault } = this;
    this.movesUnderWay += 1;
    try {
      await this.#later(fault === "hang" ? HANG_MS : CALL_MS);
      return this.#land(want, fault);
    } finally {
      this.movesUnderWay -= 1;
    }
  }

  #land(want: AddressWant, fault: AddressFault | null): Step {
    const module = this.#world.module(want.moduleId);
    const move = (to: string | null): void => module.moveCloudAddress(to);
    switch (fault) {
      case null:
      case "hang":
        move(want.nodeId);
        return { kind: "done", text: "moved" };
      case "notApplied":
        return { kind: "done", text: "moved" };
      case "appliedButError":
        move(want.nodeId);
        return { kind: "retry", text: "internal error" };
      case "half":
        move(null);
        return { kind: "retry", text: "detached, not attached" };
      case "denied":
        return { kind: "waits", text: "not allowed" };
      case "error":
      case "throttled":
        return { kind: "retry", text: fault };
    }
  }

  #later(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#world.clock.after("work", delayMs * this.#prng.between(0.5, 1.5), resolve);
    return promise;
  }
}
