import { ERRNO } from "../../node-agent/adapters/linux/errno.ts";
import { type Call, CELLS } from "./engine/sim-server.ts";
import type { Prng } from "./prng.ts";
import type { SimModule } from "./sim-module.ts";
import type { SimPart } from "./sim-part.ts";

/** Calls of one application that may be unanswered at once. */
const OPEN_MAX = 8;
export const FILES_MAX = 6;

/**
 * What the application does with its files, on whichever node it runs: also on one that should
 * not, so that a fence that does not hold shows. Names are used once, but for `current`, which a
 * rename puts ever new files over, as databases do with their pointers.
 */
export class Client {
  readonly #module: SimModule;
  readonly #prng: Prng;
  readonly #open = new Map<string, number>();
  #names = 0;

  constructor(module: SimModule) {
    this.#module = module;
    this.#prng = module.world.prng.fork(`client ${module.id}`);
  }

  /** Writes for a while, about `perSecond` calls a second. */
  burst(durationMs: number, perSecond: number): void {
    const { clock } = this.#module.world;
    const endMs = clock.trueMs + durationMs;
    const again = (): void => {
      if (clock.trueMs >= endMs) return;
      for (const part of this.#module.both()) this.#act(part);
      clock.after("calendar", this.#prng.between(0.2, 1.8) * (1000 / perSecond), again);
    };
    again();
  }

  #act(part: SimPart): void {
    const { application, server } = part;
    const { machine, agent } = part.node;
    const runs = application.isRunning && !application.isFrozen && !application.isHung;
    if (!runs || machine.isStill("application") || server === null || agent === null) return;
    const open = this.#open.get(part.id) ?? 0;
    if (open >= OPEN_MAX) return;
    this.#open.set(part.id, open + 1);
    const { life } = agent;
    const over = (): void => {
      this.#open.set(part.id, Math.max(0, (this.#open.get(part.id) ?? 1) - 1));
    };
    // A call into a mount whose process died is answered by the kernel.
    const cancel = machine.after({ isAlive: true }, "kernel", "work", 30_000, over);
    server.call(this.#choose(part), ({ result }) => {
      if (!life.isAlive) return;
      cancel();
      over();
      if (result === -ERRNO.ENODEV) application.kill();
    });
    part.wakeEngines();
  }

  #choose(part: SimPart): Call {
    const names = [...part.disk.tree.names.keys()].filter((name) => name !== "current");
    const name = names.length === 0 ? null : this.#prng.pick(names);
    const roll = this.#prng.next();
    if (name === null || (roll < 0.12 && names.length < FILES_MAX)) {
      this.#names += 1;
      return { kind: "create", name: `file${this.#names}` };
    }
    if (roll < 0.62) {
      const first = this.#prng.int(0, CELLS - 1);
      const count = this.#prng.int(1, Math.min(3, CELLS - first));
      return { kind: "write", name, cells: Array.from({ length: count }, (_, i) => first + i) };
    }
    if (roll < 0.8) return { kind: "fsync", name };
    if (roll < 0.85) return { kind: "truncate", name, cells: this.#prng.int(0, CELLS - 1) };
    if (roll < 0.9) return { kind: "rename", name, newName: "current" };
    if (roll < 0.94) return { kind: "unlink", name };
    return { kind: "read", name, cell: this.#prng.int(0, CELLS - 1) };
  }
}
