/** One token of the rule language, and where it begins. */
export type Token = {
  readonly kind: "word" | "sign" | "end" | "wrong";
  readonly text: string;
  readonly offset: number;
};

/**
 * Splits rules into words (`ping.gw`, `if`, `t_app`, `*`) and signs. Blanks and comments fall
 * away; what is neither becomes a `wrong` token, so that the parser can say where it stands.
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let from = 0;
  while (from < text.length) {
    const blank = /^\s+/u.exec(text.slice(from, from + WINDOW))?.[0];
    const isComment = text.startsWith("/*", from);
    const end = isComment ? text.indexOf("*/", from + 2) : -1;
    if (blank !== undefined || end !== -1) {
      from = blank === undefined ? end + 2 : from + blank.length;
      continue;
    }
    if (isComment) {
      tokens.push({ kind: "wrong", text: "/* without */", offset: from });
      break;
    }
    const token = tokenAt(text, from);
    tokens.push(token);
    from += token.text.length;
  }
  return [...tokens, { kind: "end", text: "", offset: text.length }];
}

/** No token is longer; looking no further keeps the time linear. */
const WINDOW = 256;

function tokenAt(text: string, offset: number): Token {
  const ahead = text.slice(offset, offset + WINDOW);
  const word = /^[A-Za-z0-9_?*][A-Za-z0-9_.?*-]*/u.exec(ahead)?.[0];
  if (word !== undefined) return { kind: "word", text: word, offset };
  const sign = /^(&&|\|\||==|!=|[()!:;=])/u.exec(ahead)?.[0];
  if (sign !== undefined) return { kind: "sign", text: sign, offset };
  return { kind: "wrong", text: String.fromCodePoint(text.codePointAt(offset) ?? 0), offset };
}
