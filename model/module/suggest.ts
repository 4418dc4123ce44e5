/** "Did you mean": the nearest of the known words, or null when none is near enough to help. */
export function nearestWord(wrong: string, known: readonly string[]): string | null {
  // A slip of one letter in a short word, two or three in a long one; beyond that it only misleads.
  const distanceMax = Math.min(3, Math.max(1, Math.floor(wrong.length / 3)));
  if (wrong.length > WORD_LENGTH_MAX) return null;
  let nearest: string | null = null;
  let best = distanceMax + 1;
  for (const word of known) {
    if (Math.abs(word.length - wrong.length) > distanceMax) continue;
    const distance = editDistance(wrong.toLowerCase(), word.toLowerCase());
    if (distance < best) [nearest, best] = [word, distance];
  }
  return nearest;
}

/** Longer words are not typing slips, and the distance costs their length squared. */
const WORD_LENGTH_MAX = 64;

/**
 * Optimal string alignment: insertions, deletions, replacements and swaps of neighbours.
 * https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance
 */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
      );
      const isSwap = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && isSwap) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, right.length);
}

const at = (row: readonly number[], column: number): number => row[column] ?? 0;
