import type { ProcConfig } from "#model/module/config.ts";
import { unitName } from "../modules/fence.ts";
import { commandLineOf, listProcesses, readProcess } from "../modules/process-table.ts";
import type { Systemd } from "../modules/systemd-units.ts";
import { type CheckResult, down, unknown, up } from "./checker.ts";

/** A process as the watch sees it. */
export type WatchedProcess = { readonly command: string; readonly commandLine: string };

/** Linux keeps 15 bytes of a command's name (TASK_COMM_LEN in linux/sched.h, with the NUL). */
const COMMAND_LENGTH_MAX = 15;

/**
 * Matches processes as `<proc>` describes them. Regular expressions of module files are POSIX
 * extended; the part of them that people use means the same in JavaScript.
 */
export function processMatcher(
  proc: Pick<ProcConfig, "name" | "nameRegex" | "argRegex">,
): (process: WatchedProcess) => boolean {
  const name = proc.nameRegex === null ? null : posixRegex(proc.nameRegex);
  const args = proc.argRegex === null ? null : posixRegex(proc.argRegex);
  const exact = proc.name.slice(0, COMMAND_LENGTH_MAX);
  return ({ command, commandLine }) => {
    const isNamed = name === null ? command === exact : name.test(command);
    return isNamed && (args === null || args.test(commandLine));
  };
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "A-Fa-f0-9",
};

/** POSIX extended to JavaScript: bracket classes differ. One that does not compile matches nothing. */
export function posixRegex(pattern: string): RegExp {
  const translated = pattern.replace(
    /\[:([a-z]+):\]/g,
    (whole, name: string) => CLASSES[name] ?? whole,
  );
  try {
    return new RegExp(translated);
  } catch {
    return /(?!)/;
  }
}

/** Is the number of matching processes inside the bounds? -1 leaves a bound untested. */
export function judgeCount(
  proc: Pick<ProcConfig, "name" | "atLeast" | "atMost">,
  count: number,
): CheckResult {
  const found = `${count} running`;
  if (proc.atLeast >= 0 && count < proc.atLeast) return down(`${found}, at least ${proc.atLeast}`);
  if (proc.atMost >= 0 && count > proc.atMost) return down(`${found}, at most ${proc.atMost}`);
  return up(found);
}

/** Lists what runs: of the whole machine, or only of the given process ids. */
export function snapshotProcesses(only: readonly number[] | null): readonly WatchedProcess[] {
  const entries =
    only === null ? listProcesses() : only.flatMap((processId) => readProcess(processId) ?? []);
  return entries
    .filter((entry) => entry.state !== "Z")
    .map((entry) => ({
      command: entry.command,
      commandLine: commandLineOf(entry.processId),
    }));
}

/** Looks once at all watched processes and services, so that one scan serves them all. */
export async function checkProcesses(
  procs: readonly ProcConfig[],
  processes: () => readonly WatchedProcess[],
  systemd: Systemd | null,
): Promise<readonly (readonly [string, CheckResult])[]> {
  const table = procs.some((proc) => !proc.isService) ? processes() : [];
  return await Promise.all(
    procs.map(async (proc) => {
      const result = proc.isService
        ? await checkService(proc.name, systemd)
        : judgeCount(proc, table.filter(processMatcher(proc)).length);
      return [`proc.${proc.name}`, result] as const;
    }),
  );
}

async function checkService(name: string, systemd: Systemd | null): Promise<CheckResult> {
  if (systemd === null) return unknown("systemd does not run this machine");
  const isActive = await systemd.isActive(unitName(name));
  if (isActive === null) return unknown("systemctl gives no answer");
  return isActive ? up("active") : down("not active");
}
