type Parts = Readonly<Record<string, unknown>>;

const hasParts = (value: unknown): value is Parts => typeof value === "object" && value !== null;

/** Are two plain values (data without functions, Maps or Sets) equal in all their parts? */
export function areEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!hasParts(a) || !hasParts(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  let more = 0;
  for (const name in a) {
    if (!areEqual(a[name], b[name])) return false;
    more += 1;
  }
  for (const _ in b) more -= 1;
  return more === 0;
}
