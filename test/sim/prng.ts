/**
 * Chance, drawn from a seed. Every source of faults forks a stream of its own by name, so that one
 * source that draws more often leaves what all others draw as it was: a shrunk history stays alike.
 */
export class Prng {
  readonly #seed: number;
  #state: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#state = seed | 0;
  }

  /** A stream that depends on the seed and the name alone. */
  fork(name: string): Prng {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let at = 0; at < name.length; at += 1) {
      hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
    }
    // Names that differ in their last letter must not begin alike.
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return new Prng(hash ^ (hash >>> 13));
  }

  /** 0 <= x < 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  /** A whole number, both ends included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  pick<T>(list: readonly T[]): T {
    const found = list[Math.floor(this.next() * list.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  /** `count` different members, in the order of the list. */
  sample<T>(list: readonly T[], count: number): readonly T[] {
    const keyed = list.map((member, index) => ({ member, index, key: this.next() }));
    const chosen = keyed.sort((a, b) => a.key - b.key).slice(0, count);
    return chosen.sort((a, b) => a.index - b.index).map(({ member }) => member);
  }
}
