import { type Checker, type Scene, Violation } from "./checker.ts";

/** On top of two leases: for the questions, and for what each side does with the answers. */
const ON_TOP_MS = 3_000;

/**
 * L1: a connected majority that holds an up-to-date, healthy node serves within 2 leases and 3 s.
 * The clock runs only while the protocol alone is waited for; what else may take its time has its
 * own bound and its name in due.ts.
 */
export class ServiceReturns implements Checker {
  readonly name = "L1";

  onStep(scene: Scene): void {
    const sinceMs = scene.serviceDueSinceMs;
    if (sinceMs === null || scene.nodes.some((node) => node.accepts)) return;
    const waitedMs = scene.nowMs - sinceMs;
    if (waitedMs <= 2 * scene.leaseMs + ON_TOP_MS) return;
    throw new Violation("L1", `nobody has served for ${Math.round(waitedMs)} ms, though one can`);
  }
}
