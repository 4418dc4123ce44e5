import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { Containment, ContainmentOutcome } from "./containment.ts";
import { readProcess, signal } from "./process-table.ts";

/** Which cgroup v2 directory may hold ours: from /proc/self/mountinfo and /proc/self/cgroup. */
export type CgroupFiles = { readonly mountinfo: string; readonly cgroup: string };

const POLL_MS = 5;

/**
 * The directory of our own cgroup, under which the modules' are made: under systemd that is the
 * part of the tree that was delegated to us (systemd.resource-control(5), Delegate=). null when no
 * cgroup v2 hierarchy is mounted. Both pure and mixed ("unified" beside v1) layouts are found, as
 * the mount is looked up and never assumed (cgroups(7), proc_pid_mountinfo(5)).
 */
export function ownCgroupDirectory(files: CgroupFiles): string | null {
  const own = /^0::(\/.*)$/m.exec(files.cgroup)?.[1];
  if (own === undefined) return null;
  for (const line of files.mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const fields = before?.split(" ") ?? [];
    const [root, mountPoint] = [fields[3], fields[4]];
    if (after?.split(" ")[0] !== "cgroup2" || root === undefined || mountPoint === undefined) {
      continue;
    }
    // A container may see only a part of the hierarchy: our path counts from that part's root.
    const below = root !== "/" && own.startsWith(root) ? own.slice(root.length) : own;
    return `${mountPoint}${below}`.replace(/\/+$/, "");
  }
  return null;
}

/** This process's own files. */
export function readCgroupFiles(): CgroupFiles {
  return {
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8"),
    cgroup: readFileSync("/proc/self/cgroup", "utf8"),
  };
}

/**
 * Makes or adopts the cgroup of a module. `instance` keeps the agents of two nodes apart where they
 * share one kernel. An existing directory is adopted with the processes in it, so that a restarted
 * agent finds its running application.
 */
export function openCgroup(
  base: string,
  instance: string,
  moduleId: string,
): Result<Containment, string> {
  const levels = ["mirrorfarm", instance, moduleId];
  const path = `${base}/${levels.join("/")}`;
  try {
    makeDirectories(base, levels);
    // Writing an empty state back tells now, not at the first failure, whether we may.
    writeFileSync(`${path}/cgroup.freeze`, readFileSync(`${path}/cgroup.freeze`, "utf8").trim());
  } catch (cause) {
    return err(`cannot make cgroup ${path}: ${cause instanceof Error ? cause.message : cause}`);
  }
  return ok(new Cgroup(path));
}

const ATTEMPTS_MAX = 5;

/**
 * Level by level: Node's recursive mkdir never returns where the kernel answers ENOENT although
 * the parent is there, as in /proc. And another agent on this kernel may remove a shared parent,
 * empty at that moment, beside us: then from the top again.
 */
function makeDirectories(base: string, levels: readonly string[]): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const depth of levels.keys()) {
        makeDirectory(`${base}/${levels.slice(0, depth + 1).join("/")}`);
      }
      return;
    } catch (cause) {
      if (attempt === ATTEMPTS_MAX) throw cause;
    }
  }
}

function makeDirectory(path: string): void {
  if (!existsSync(path)) mkdirSync(path);
}

class Cgroup implements Containment {
  readonly kind = "cgroup";
  readonly warnings = [];
  readonly environment = {};
  readonly cgroupPath: string;

  constructor(path: string) {
    this.cgroupPath = path;
  }

  wrap(command: readonly string[]): readonly string[] {
    // The shell joins and then becomes the command, under the same process id. In a module's cgroup
    // that has gone, the command must not run at all: hence `&&`.
    const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return ["/bin/sh", "-c", join, this.cgroupPath, ...command];
  }

  processIds(): readonly number[] {
    const text = this.#read("cgroup.procs");
    // 0 stands for a process of another pid namespace; to signal 0 would be to signal ourselves.
    return text
      .split("\n")
      .map(Number)
      .filter((id) => id > 0);
  }

  isEmpty(): boolean {
    // `populated` also counts descendants and zombies not yet reaped (cgroups(7)).
    return !this.#read("cgroup.events").includes("populated 1");
  }

  async freeze(waitMsMax: number): Promise<ContainmentOutcome> {
    this.#write("cgroup.freeze", "1");
    const isComplete = await this.#until(waitMsMax, () => this.#isFrozen());
    return { isComplete, stuckProcessIds: isComplete ? [] : this.#uninterruptible() };
  }

  thaw(): void {
    this.#write("cgroup.freeze", "0");
  }

  async kill(waitMsMax: number): Promise<ContainmentOutcome> {
    // cgroup.kill (Linux 5.14) kills atomically, forks in flight and frozen processes included.
    if (!this.#write("cgroup.kill", "1")) this.#killEach();
    const isComplete = await this.#until(waitMsMax, () => {
      if (this.isEmpty()) return true;
      if (!existsSync(`${this.cgroupPath}/cgroup.kill`)) this.#killEach();
      return false;
    });
    // Left frozen, an empty cgroup would freeze the next start of the application.
    this.thaw();
    return { isComplete, stuckProcessIds: isComplete ? [] : this.processIds() };
  }

  remove(): void {
    try {
      // The module's, the node's and ours, as long as each is empty.
      for (const levels of [0, 1, 2]) rmdirSync(resolve(this.cgroupPath, "../".repeat(levels)));
    } catch {
      // It still has processes or other children, or it has gone: then there is nothing to forget.
    }
  }

  #isFrozen(): boolean {
    return this.isEmpty() || this.#read("cgroup.events").includes("frozen 1");
  }

  #uninterruptible(): readonly number[] {
    return this.processIds().filter((id) => readProcess(id)?.state === "D");
  }

  #killEach(): void {
    for (const id of this.processIds()) signal(id, "SIGKILL");
  }

  async #until(waitMsMax: number, holds: () => boolean): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += POLL_MS) {
      if (holds()) return true;
      await sleep(POLL_MS);
    }
    return holds();
  }

  #read(file: string): string {
    try {
      return readFileSync(`${this.cgroupPath}/${file}`, "utf8");
    } catch {
      return "";
    }
  }

  #write(file: string, value: string): boolean {
    try {
      writeFileSync(`${this.cgroupPath}/${file}`, value);
      return true;
    } catch {
      return false;
    }
  }
}
