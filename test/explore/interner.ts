/** Gives each distinct value a small number, so that a state of the world is a row of numbers. */
export class Interner<T> {
  readonly #ids = new Map<string, number>();
  readonly #values: T[] = [];
  /** Values that were asked for before, to look at their text once only. */
  readonly #known = new WeakMap<object, number>();

  /** Equal values have equal JSON: they are built by the same code. */
  idOf(value: T): number {
    if (value === null) return this.#idOfNull();
    if (typeof value !== "object") return this.#lookUp(value);
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const id = this.#lookUp(value);
    this.#known.set(value, id);
    return id;
  }

  #nullId = -1;

  /** Asked for so often that even its text takes too long. */
  #idOfNull(): number {
    if (this.#nullId === -1) this.#nullId = this.#lookUp(null as T);
    return this.#nullId;
  }

  #lookUp(value: T): number {
    const text = JSON.stringify(value);
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#values.length;
    this.#ids.set(text, id);
    this.#values.push(value);
    return id;
  }

  valueOf(id: number): T {
    const value = this.#values[id];
    if (value === undefined) throw new Error(`no value ${id}`);
    return value;
  }

  get size(): number {
    return this.#values.length;
  }
}
