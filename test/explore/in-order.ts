/** Equal contents read the same, in whichever order they came. */
export const inOrder = <V>(record: Readonly<Record<string, V>>): Readonly<Record<string, V>> =>
  Object.fromEntries(Object.entries(record).sort(([x], [y]) => (x < y ? -1 : 1)));
