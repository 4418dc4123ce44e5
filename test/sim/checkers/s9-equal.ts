import { type Checker, type Scene, Violation } from "./checker.ts";

/** S9: when nobody writes any more, both copies are the same. */
export class CopiesAreEqual implements Checker {
  readonly name = "S9";

  onEnd(scene: Scene): void {
    const [a, b] = scene.nodes.map(({ tree }) => tree.digest());
    if (a !== b) throw new Violation("S9", `the copies differ: a ${a}; b ${b}`);
  }
}
