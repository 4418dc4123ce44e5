import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, lstatSync, openSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { UserConfig } from "#model/module/config.ts";
import type { ScriptCall } from "#model/states/lifecycle.ts";
import type { Containment } from "./containment.ts";
import { killTree } from "./process-table.ts";
import { boundUlog, boundUlogs, openUlog, ulogName } from "./ulog.ts";

/** How one run of a script ended. Its exit code is told to people and changes no state. */
export type ScriptOutcome =
  /** The module has no such script, or no `<user>` at all. */
  | { readonly kind: "absent" }
  /** It lies in `bin/` but may not be executed: a mistake in the module, told as such. */
  | { readonly kind: "notExecutable" }
  | { readonly kind: "exited"; readonly code: number; readonly ulog: string | null }
  | { readonly kind: "killed"; readonly signal: string; readonly ulog: string | null }
  | { readonly kind: "timedOut"; readonly afterMs: number; readonly ulog: string | null }
  | { readonly kind: "notStarted"; readonly cause: string };

/** A script that runs. */
export interface RunningScript {
  /** Relative to the module's log directory; null when its output goes nowhere. */
  readonly ulog: string | null;
  readonly done: Promise<ScriptOutcome>;
  /** Something else is wanted of the module: the script gets this long, then it is killed. */
  cut(graceMs: number): void;
}

/** Runs a module's scripts. The life cycle calls one at a time. */
export interface ScriptRunner {
  run(call: Pick<ScriptCall, "arguments" | "kind"> & { readonly script: string }): RunningScript;
  /** Stops the upkeep of the logs. */
  close(): void;
}

export type ScriptRunnerOptions = {
  /** null: no `<user>`, so no script runs, ever. */
  readonly user: UserConfig | null;
  readonly binDirectory: string;
  readonly logDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly containment: Containment;
};

/** Logs are looked at this often: between two looks one may outgrow its bound. */
const UPKEEP_MS = 2_000;

/** Runs the executables of one module's `bin/`, inside its containment. */
export class ModuleScripts implements ScriptRunner {
  readonly #options: ScriptRunnerOptions;
  readonly #upkeep: NodeJS.Timeout;

  constructor(options: ScriptRunnerOptions) {
    this.#options = options;
    this.#upkeep = setInterval(() => this.#boundLogs(), UPKEEP_MS).unref();
  }

  run(call: Pick<ScriptCall, "arguments" | "kind"> & { readonly script: string }): RunningScript {
    const { user, binDirectory } = this.#options;
    // A checker's `exec` may be an absolute path; role scripts are names in `bin/`.
    const path = resolve(binDirectory, call.script);
    // lstat: a link in an installed module could only lead out of it.
    const file = lstatSync(path, { throwIfNoEntry: false });
    if (user === null || file === undefined) return ended({ kind: "absent" });
    if (!file.isFile() || (file.mode & 0o111) === 0) return ended({ kind: "notExecutable" });
    return this.#start(path, call, user);
  }

  close(): void {
    clearInterval(this.#upkeep);
  }

  #start(
    path: string,
    call: Pick<ScriptCall, "arguments" | "kind"> & { readonly script: string },
    user: UserConfig,
  ): RunningScript {
    const { containment, environment, logDirectory, binDirectory } = this.#options;
    const ulog = user.logging === "none" ? null : ulogName(basename(call.script), new Date());
    let output: number | null = null;
    try {
      output = ulog === null ? openSync("/dev/null", "a") : openUlog(logDirectory, ulog);
      const [program, ...args] = containment.wrap([path, ...call.arguments]);
      const child = spawn(program ?? path, args, {
        // Its own session: a signal to the agent's terminal or group must not reach applications.
        detached: true,
        cwd: binDirectory,
        env: { ...environment, ...containment.environment },
        stdio: ["ignore", output, output],
      });
      const timeoutMs = timeoutOf(call.kind, user);
      const started = new StartedScript(child, ulog, timeoutMs);
      if (ulog === null) return started;
      const bound = () => boundUlog(join(logDirectory, ulog), user.userlogSizeBytes);
      // Whatever fails here is the log's upkeep, never the script's outcome.
      void started.done.then(bound).catch(() => undefined);
      return started;
    } catch (cause) {
      return ended({ kind: "notStarted", cause: String(cause) });
    } finally {
      if (output !== null) closeSync(output);
    }
  }

  #boundLogs(): void {
    const { user, logDirectory } = this.#options;
    if (user === null || user.logging === "none") return;
    try {
      boundUlogs(logDirectory, user.userlogSizeBytes);
    } catch {
      // A full or failing disk under the logs must not stop the module.
    }
  }
}

/** Only stop scripts are timed: a start may have to recover a large database. */
function timeoutOf(kind: ScriptCall["kind"], user: UserConfig): number | null {
  if (kind === "stop") return user.niceStopTimeoutMs;
  return kind === "forceStop" ? user.forceStopTimeoutMs : null;
}

function ended(outcome: ScriptOutcome): RunningScript {
  return { ulog: null, done: Promise.resolve(outcome), cut: () => undefined };
}

class StartedScript implements RunningScript {
  readonly ulog: string | null;
  readonly done: Promise<ScriptOutcome>;
  readonly #child: ChildProcess;
  readonly #startedAtMs = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #timedOutAfterMs: number | null = null;

  constructor(child: ChildProcess, ulog: string | null, timeoutMs: number | null) {
    this.#child = child;
    this.ulog = ulog;
    this.done = new Promise((resolve) => {
      // `exit` and not `close`: a daemon that keeps the output open is no reason to wait.
      child.once("exit", (code, signal) => resolve(this.#ended(code, signal)));
      child.once("error", (cause) => resolve({ kind: "notStarted", cause: cause.message }));
    });
    if (timeoutMs !== null) this.cut(timeoutMs);
  }

  cut(graceMs: number): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timedOutAfterMs = Math.round(performance.now() - this.#startedAtMs);
      if (this.#child.pid !== undefined) killTree(this.#child.pid);
    }, graceMs);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): ScriptOutcome {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const { ulog } = this;
    if (this.#timedOutAfterMs !== null) {
      return { kind: "timedOut", afterMs: this.#timedOutAfterMs, ulog };
    }
    if (code !== null) return { kind: "exited", code, ulog };
    return { kind: "killed", signal: signal ?? "unknown", ulog };
  }
}
