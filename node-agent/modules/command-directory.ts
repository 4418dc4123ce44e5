import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Both names do the same for a script; the first is the one that existing modules call. */
const NAMES = ["safekit", "mirrorfarm"] as const;

/**
 * Writes the commands that modules' scripts find first on their PATH (`SAFEBIN`). They are small
 * shell files rather than links, so that they name this agent's own interpreter and socket.
 */
export function writeCommandDirectory(
  directory: string,
  nodePath: string,
  commandPath: string,
  socketPath: string,
): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const words = [nodePath, commandPath, socketPath].map(shellQuote).join(" ");
  for (const name of NAMES) {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(path, 0o755);
  }
}

const shellQuote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
