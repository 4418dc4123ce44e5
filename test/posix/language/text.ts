/** How strings of bytes are written in cases: bare words, or in double quotes. One character, one byte. */

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", "0": "\0", '"': '"', "\\": "\\" };
const BARE = /^[\w./:+~@%,=|-]+$/;

/** As it would be written in a case: `""`, `a`, `"two words\x80"`. */
export function quote(text: string): string {
  if (BARE.test(text)) return text;
  const escaped = text.replaceAll(/[^ !#-[\]-~]/g, (character) => {
    const name = Object.keys(ESCAPES).find((key) => ESCAPES[key] === character);
    return name === undefined ? `\\x${hex(character)}` : `\\${name}`;
  });
  return `"${escaped}"`;
}

const hex = (character: string): string => character.charCodeAt(0).toString(16).padStart(2, "0");

const unquote = (text: string): string =>
  text.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (whole, code: string | undefined, name: string) =>
    code === undefined ? (ESCAPES[name] ?? whole) : String.fromCharCode(Number.parseInt(code, 16)),
  );

/** A piece of a word, or the space between two words. */
const PIECE = /(\s+)|"((?:[^"\\]|\\.)*)"(?:\*(\d+))?|([^\s"*]+)(?:\*(\d+))?/y;

/** The words of a line. `x*300` and `"t/"*2000` are repetitions; pieces side by side are one word. */
export function words(line: string): string[] {
  const found: string[] = [];
  const text = line.trim();
  let isNew = true;
  for (let at = 0; at < text.length; at = PIECE.lastIndex) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(text);
    if (match === null) throw new Error(`cannot read ${text.slice(at)}`);
    const [, space, quoted, times, bare = "", bareTimes] = match;
    if (space === undefined) {
      const piece = (quoted === undefined ? bare : unquote(quoted)).repeat(
        Number(times ?? bareTimes ?? 1),
      );
      found.push(isNew ? piece : `${found.pop()}${piece}`);
    }
    isNew = space !== undefined;
  }
  return found;
}
