import { type ParsedRules, parseRules } from "./parse-rules.ts";

/** The text of `<failover>`: rules, and behind this mark what is written in Lua. */
const LUA_MARK = "--Lua Rules";

/** Reads the rules. Lua is a program, so it is never run here: only noticed. */
export function parseFailoverText(text: string): ParsedRules & { readonly hasLua: boolean } {
  const lua = text.indexOf(LUA_MARK);
  const parsed = parseRules(lua === -1 ? text : text.slice(0, lua));
  return { ...parsed, hasLua: lua !== -1 };
}
