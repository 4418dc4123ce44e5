import { readFileSync } from "node:fs";

/** A file of /proc or of the control groups: gone with its process, at any moment. Empty then. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
