/** Mounting FUSE without root, through the setuid helper fusermount3(1). */
import { spawnSync } from "node:child_process";
import { err, ok, type Result } from "#model/shared/result.ts";
import { receiveDescriptor, socketPair } from "./descriptor-passing.ts";
import { errnoName } from "./errno.ts";
import { close } from "./file.ts";

const TIMEOUT_MS = 10_000;
/** The helper's third inherited descriptor, after stdin, stdout and stderr. */
const INHERITED_AS = 3;

/** Mounts on `path`; the descriptor of /dev/fuse, or what the helper said. Blocks briefly. */
export function mountAsUser(path: string, options: string): Result<number, string> {
  const { ends, error } = socketPair();
  if (error < 0) return err(`socketpair: ${errnoName(error)}`);
  const [own, passed] = ends;
  const helper = spawnSync("fusermount3", ["-o", options, "--", path], {
    stdio: ["ignore", "ignore", "pipe", passed],
    env: { ...process.env, _FUSE_COMMFD: String(INHERITED_AS) },
    timeout: TIMEOUT_MS,
  });
  close(passed);
  const device = helper.status === 0 ? receiveDescriptor(own) : -1;
  close(own);
  if (helper.error !== undefined) return err(`fusermount3: ${helper.error.message}`);
  if (helper.status !== 0) return err(helper.stderr.toString("utf8").trim());
  return device < 0 ? err(`fusermount3 passed no descriptor: ${errnoName(device)}`) : ok(device);
}

/** Unmounts what this user mounted; null, or what the helper said. */
export function unmountAsUser(path: string, isLazy: boolean): string | null {
  const flags = isLazy ? ["-u", "-z"] : ["-u"];
  const helper = spawnSync("fusermount3", [...flags, "--", path], { timeout: TIMEOUT_MS });
  if (helper.error !== undefined) return `fusermount3: ${helper.error.message}`;
  return helper.status === 0 ? null : helper.stderr.toString("utf8").trim();
}
