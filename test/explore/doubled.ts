/** A copy with room for twice as much. */
export function doubled<T extends Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(array: T): T {
  const next = new (array.constructor as new (length: number) => T)(array.length * 2);
  next.set(array);
  return next;
}
