/** A reason is read in a table's cell, whatever a person, a checker or a disk wrote into it. */
export const REASON_CHARS_MAX = 240;

/** The same words as one line of bounded length. */
export function oneSentence(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= REASON_CHARS_MAX ? line : `${line.slice(0, REASON_CHARS_MAX - 1)}…`;
}
