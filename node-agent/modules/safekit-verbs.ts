import { parseArgs } from "node:util";
import { err, ok, type Result } from "#model/shared/result.ts";

/**
 * What a module's script may ask of the agent with the `safekit` or `mirrorfarm` command. Scripts
 * that people bring along call these; people themselves use the command line of the product.
 */
export type VerbRequest = {
  readonly verb: Verb;
  readonly moduleId: string;
  /** `-i`: the caller's name. With it the action is automatic and counts towards maxloop. */
  readonly identity: string | null;
  /** What stands after the verb: a message, `enable CLASS`, ... */
  readonly words: readonly string[];
  /** `-r` and `-v` of `get` and `set`. */
  readonly resource: string | null;
  readonly value: string | null;
};

/** What the command prints, on which stream, and exits with. */
export type VerbAnswer = {
  readonly exitCode: number;
  readonly output: string;
  readonly error: string;
};

/** Every verb. */
export const VERBS = [
  "printi",
  "printe",
  "stop",
  "stopstart",
  "restart",
  "wait",
  "swap",
  "set",
  "get",
  "state",
  "incloop",
  "resetloop",
  "checkloop",
  "errd",
] as const;
type Verb = (typeof VERBS)[number];

/** Where the local API takes verbs: `POST` on the agent's socket. */
export const verbPath = (moduleId: string): string =>
  `/v1/local/modules/${encodeURIComponent(moduleId)}/verbs`;

const OPTIONS = {
  module: { type: "string", short: "m" },
  identity: { type: "string", short: "i" },
  resource: { type: "string", short: "r" },
  value: { type: "string", short: "v" },
  noHistory: { type: "boolean", short: "n" },
  history: { type: "boolean", short: "l" },
  quiet: { type: "boolean", short: "q" },
} as const;

/** Reads a command line; without `-m`, `defaultModule` (SAFEMODULE) is meant. */
export function parseVerb(
  argv: readonly string[],
  defaultModule: string | null,
): Result<VerbRequest, string> {
  const [word, ...rest] = argv;
  const verb = VERBS.find((name) => name === word);
  if (verb === undefined) return err(`unknown command ${word ?? ""}; known: ${VERBS.join(", ")}`);
  try {
    const { values, positionals } = parseArgs({
      args: rest,
      options: OPTIONS,
      allowPositionals: true,
    });
    const moduleId = values.module ?? defaultModule;
    if (moduleId === null) return err("no module: give -m NAME or set SAFEMODULE");
    return ok({
      verb,
      moduleId,
      identity: values.identity ?? null,
      words: positionals,
      resource: values.resource ?? null,
      value: values.value ?? null,
    });
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause));
  }
}
