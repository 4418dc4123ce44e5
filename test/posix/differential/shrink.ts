/** Finds a short program that still goes wrong. */
import type { Program } from "./program.ts";

/**
 * Leaves items out for as long as something is wrong: first halves, then smaller and smaller pieces
 * (Zeller's ddmin), until `mayGoOn` says no.
 */
export async function shrink(
  program: Program,
  isWrong: (program: Program) => Promise<boolean>,
  mayGoOn: () => boolean,
): Promise<Program> {
  let { items } = program;
  for (let size = Math.ceil(items.length / 2); size >= 1 && mayGoOn(); ) {
    let isSmaller = false;
    for (let at = 0; at < items.length && mayGoOn(); ) {
      const rest = [...items.slice(0, at), ...items.slice(at + size)];
      if (await isWrong({ ...program, items: rest })) {
        items = rest;
        isSmaller = true;
      } else {
        at += size;
      }
    }
    if (size === 1 && !isSmaller) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return { ...program, items };
}
