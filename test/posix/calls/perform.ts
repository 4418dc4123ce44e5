/** All calls by their names, and one step made in this process. */
import { errnoName } from "../../../node-agent/adapters/linux/errno.ts";
import { quote } from "../language/text.ts";
import { ATTRIBUTES } from "./attributes.ts";
import { DATA } from "./data.ts";
import { DIRECTORIES } from "./directories.ts";
import { EXTENDED } from "./extended.ts";
import { OPENING } from "./opening.ts";
import type { Call, Outcome, Session } from "./session.ts";
import { SHARING } from "./sharing.ts";
import { SPECIAL } from "./special.ts";

const CALLS: Readonly<Record<string, Call>> = {
  ...OPENING,
  ...DATA,
  ...ATTRIBUTES,
  ...EXTENDED,
  ...DIRECTORIES,
  ...SHARING,
  ...SPECIAL,
};

/** Calls made of others. */
const REPEATED = "repeat";

export type Order = {
  readonly call: string;
  readonly words: readonly string[];
  readonly name: string | null;
};

/** What the call answers. A result that gets a name is `ok`: its number may be any. */
export function perform(session: Session, { call, words, name }: Order): Outcome {
  if (call === REPEATED) return repeat(session, words);
  const action = CALLS[call];
  if (action === undefined) throw new Error(`no call ${call}`);
  const result = guarded(() => action(session, ...words.map((word) => session.substitute(word))));
  if (typeof result === "string") return result;
  if (result < 0) return errnoName(result);
  if (name === null) return `${result}`;
  session.files.set(name, result);
  return "ok";
}

/**
 * `repeat COUNT ALLOWED LOG CALL WORD...`: the same call over and over, `%` in its words being 0, 1,
 * and so on. Each success is a byte more in LOG (none: `-`). Answers `fine`, or the first outcome
 * that is neither a success nor one of the errors ALLOWED (`EEXIST|ENOENT`).
 */
function repeat(session: Session, words: readonly string[]): Outcome {
  const [count = "0", allowed = "", log = "-", call = "", ...rest] = words;
  const tolerated = allowed.split("|");
  for (let n = 0; n < Number(count); n += 1) {
    const order = { call, words: rest.map((word) => word.replaceAll("%", `${n}`)), name: null };
    const outcome = perform(session, order);
    const isError = /^(E[A-Z]|errno|cannot)/.test(outcome);
    if (isError && !tolerated.includes(outcome)) return outcome;
    if (!isError && log !== "-")
      perform(session, { call: "append", words: [log, "."], name: null });
  }
  return "fine";
}

/** Some calls are Node's, and throw. */
function guarded(action: () => Outcome | number): Outcome | number {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error && "code" in error && "syscall" in error) return String(error.code);
    return error instanceof Error ? `cannot: ${quote(error.message)}` : String(error);
  }
}
