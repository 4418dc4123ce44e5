import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { CommandEnd, EXIT } from "./exit.ts";

/** Which control plane to speak to, and as whom. */
export type Context = {
  readonly url: string;
  readonly secret: string;
  /** null: the only one there is. */
  readonly cluster: string | null;
};

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const ContextFile = z.object({
  url: z.string(),
  secret: z.string(),
  cluster: z.optional(z.string()),
});

/** Where the context file is: `$XDG_CONFIG_HOME/mirrorfarm/context.json`, else below ~/.config. */
const contextPath = (environment: Environment): string =>
  join(
    environment["XDG_CONFIG_HOME"] ?? join(environment["HOME"] ?? homedir(), ".config"),
    "mirrorfarm",
    "context.json",
  );

/**
 * From `MIRRORFARM_URL` and `MIRRORFARM_SECRET`, or the context file. The URL may be the one that
 * the control plane printed, with its secret inside.
 */
export function readContext(environment: Environment, cluster: string | null): Context {
  const named = cluster ?? environment["MIRRORFARM_CLUSTER"] ?? null;
  const url = environment["MIRRORFARM_URL"];
  if (url === undefined) return { ...fromFile(contextPath(environment), named) };
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new CommandEnd(EXIT.usage, "MIRRORFARM_URL is no http:// or https:// address");
  }
  const secret = environment["MIRRORFARM_SECRET"] ?? parsed.searchParams.get("secret");
  if (secret === null) {
    throw new CommandEnd(EXIT.notAllowed, "not signed in", "set MIRRORFARM_SECRET");
  }
  return { url: parsed.origin, secret: secret.trim(), cluster: named };
}

function fromFile(path: string, cluster: string | null): Context {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    const remedy = `set MIRRORFARM_URL and MIRRORFARM_SECRET, or write ${path}`;
    throw new CommandEnd(EXIT.notAllowed, "no control plane is named", remedy);
  }
  const context = ContextFile.safeParse(parseJson(text));
  if (!context.success) {
    throw new CommandEnd(EXIT.usage, `${path}: want {"url": …, "secret": …, "cluster": …}`);
  }
  const { url, secret } = context.data;
  return { url, secret, cluster: cluster ?? context.data.cluster ?? null };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
