/** Thrown for bugs only: what must never happen did. The top of a loop catches it and fences. */
export class AssertionFailed extends Error {
  override readonly name = "AssertionFailed";
}

/** Checked in production too: a wrong decision costs more than a stopped agent. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** Makes the compiler prove that a switch over a union is complete. */
export function assertNever(value: never): never {
  throw new AssertionFailed(`unexpected ${JSON.stringify(value)}`);
}
