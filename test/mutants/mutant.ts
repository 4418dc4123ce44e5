/**
 * A mutant is the product with one thing wrong: one exact place of one source file, rewritten as it
 * is loaded. No product file has a switch for it. A place that matches other than once means that
 * the product has moved on, and the mutant must be thought about again.
 */
export type Mutant = {
  readonly id: string;
  /** What is wrong with it, as a person would say. */
  readonly wrong: string;
  /** From the top of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: CaughtBy;
};

/** What must notice it, and the smallest run that does. */
export type CaughtBy =
  /** Options of `npm run explore`. */
  | { readonly explore: string }
  /** One seed of the simulation. */
  | { readonly simSeed: number };

/** The source with the mutant's place rewritten. */
export function mutate(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find);
  if (parts.length !== 2) {
    const times = parts.length - 1;
    throw new Error(`${mutant.id}: its place stands ${times} times in ${mutant.file}, not once`);
  }
  return parts.join(mutant.replace);
}
