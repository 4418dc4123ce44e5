/** A text after expansion, and the names in it that nobody defines. */
export type Expanded = { readonly text: string; readonly unresolved: readonly string[] };

/** One value may not grow beyond this, nor all of a file beyond the second. */
const EXPANDED_LENGTH_MAX = 64 * 1024;
const EXPANDED_TOTAL_MAX = 4 * 1024 * 1024;
/** Comparing an unknown name with all of a hostile file's would take minutes. */
const SUGGESTED_MAX = 100;

/**
 * The macros of one file, as they are met. `%X%` takes the macro's value, else the variable of the
 * environment. A value is expanded once, when its macro is defined, and never again, so nothing
 * can refer to itself; two bounds keep macros of macros from growing without end.
 */
export class Macros {
  readonly #environment: ReadonlyMap<string, string>;
  readonly #defined = new Map<string, string>();
  #expandedTotal = 0;

  constructor(environment: ReadonlyMap<string, string>) {
    this.#environment = environment;
  }

  /** Holds from here on. False: it was defined before, and the new value holds. */
  define(name: string, value: string): boolean {
    const isNew = !this.#defined.has(name);
    this.#defined.set(name, value);
    return isNew;
  }

  /** The names that were defined last, for "did you mean". */
  get names(): readonly string[] {
    return [...this.#defined.keys()].slice(-SUGGESTED_MAX);
  }

  /** null: the text would grow beyond its bounds. */
  expand(text: string): Expanded | null {
    if (!text.includes("%")) return { text, unresolved: [] };
    const unresolved = new Set<string>();
    let expanded = "";
    let from = 0;
    while (from < text.length) {
      const opening = text.indexOf("%", from);
      const closing = opening === -1 ? -1 : text.indexOf("%", opening + 1);
      if (closing === -1) break;
      const name = text.slice(opening + 1, closing);
      const value = this.#defined.get(name) ?? this.#environment.get(name);
      const isMeant = value !== undefined || LOOKS_LIKE_A_NAME.test(name);
      if (value === undefined && isMeant) unresolved.add(name);
      // "50% of 80%" is text: its second sign may still open a macro, so only the first is passed.
      const end = isMeant ? closing + 1 : opening + 1;
      expanded += text.slice(from, opening) + (value ?? text.slice(opening, end));
      from = end;
      if (expanded.length > EXPANDED_LENGTH_MAX) return null;
    }
    expanded += text.slice(from);
    this.#expandedTotal += expanded.length;
    if (expanded.length > EXPANDED_LENGTH_MAX) return null;
    return this.#expandedTotal > EXPANDED_TOTAL_MAX
      ? null
      : { text: expanded, unresolved: [...unresolved] };
  }
}

/** What an undefined name has to look like to be reported as one. */
const LOOKS_LIKE_A_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/u;
