import { err, ok, type Result } from "../shared/result.ts";

/** linux/limits.h PATH_MAX, less the closing zero byte; and NAME_MAX. */
const PATH_LENGTH_MAX = 4095;
const NAME_LENGTH_MAX = 255;

/** What the machine itself lives in: a mount over one of these takes the machine away. */
const FORBIDDEN_ITSELF = ["/", "/etc", "/home", "/opt", "/root", "/usr", "/var", "/var/lib"];
/** These and all that is in them. The last is this product's own state. */
const FORBIDDEN_TREES = [
  ...["/bin", "/boot", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin"],
  ...["/sys", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin"],
  ...["/var/run", "/var/lib/mirrorfarm"],
];

/** The absolute path of a replicated directory, without a slash at its end. */
export function parseReplicatedDirectory(text: string): Result<string, string> {
  if (/^[A-Za-z]:[\\/]/u.test(text)) return err("is a Windows path; modules run on Linux here");
  if (!text.startsWith("/")) return err("is not absolute: it has to begin with /");
  const dir = text === "/" ? text : text.replace(/\/$/u, "");
  if (dir !== "/") {
    const wrong = whyNotParts(dir.slice(1));
    if (wrong !== null) return err(wrong);
  }
  if (FORBIDDEN_ITSELF.includes(dir)) return err("belongs to the machine and cannot be replicated");
  const tree = FORBIDDEN_TREES.find((forbidden) => isInside(dir, forbidden));
  if (tree !== undefined) return err(`lies in ${tree}, which belongs to the machine`);
  return ok(dir);
}

/** A path inside a replicated directory, without a slash at its end. */
export function parseRelativePath(text: string): Result<string, string> {
  if (text.startsWith("/")) return err("is absolute: it has to be relative to the directory");
  const path = text.replace(/\/$/u, "");
  const wrong = whyNotParts(path);
  return wrong === null ? ok(path) : err(wrong);
}

/** Is `path` the directory itself, or in it? */
export const isInside = (path: string, dir: string): boolean =>
  path === dir || path.startsWith(dir === "/" ? dir : `${dir}/`);

function whyNotParts(path: string): string | null {
  if (path.length > PATH_LENGTH_MAX) return `is longer than ${PATH_LENGTH_MAX} characters`;
  if (/\p{Cc}/u.test(path)) return "has a control character";
  for (const part of path.split("/")) {
    if (part === "") return "has an empty part";
    if (part === "." || part === "..") return `has the part ${part}`;
    if (part.length > NAME_LENGTH_MAX) return `has a part longer than ${NAME_LENGTH_MAX}`;
  }
  return null;
}
