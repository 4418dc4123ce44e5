/** The playground's child processes: started, killed as a machine dies, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readdirSync, readFileSync } from "node:fs";

export type StartOptions = {
  readonly args: readonly string[];
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Collects standard output until its first full line. */
  readonly wantsFirstLine?: boolean;
};

const FIRST_LINE_MS_MAX = 30_000;

export class ManagedProcess {
  readonly #child: ChildProcess;
  /** Unix milliseconds. */
  readonly startedAtMs = Date.now();
  readonly firstLine: Promise<string>;
  readonly ended: Promise<void>;

  constructor(options: StartOptions) {
    const log = openSync(options.logFile, "a");
    const [command = "false", ...rest] = options.args;
    this.#child = spawn(command, rest, {
      stdio: ["ignore", options.wantsFirstLine === true ? "pipe" : log, log],
      // A group of its own: Ctrl-C is for the supervisor, which ends the others in order.
      detached: true,
      env: { ...process.env, ...options.environment },
    });
    const line = Promise.withResolvers<string>();
    const ended = Promise.withResolvers<void>();
    this.firstLine = line.promise;
    this.ended = ended.promise;
    // Whoever does not want it must not be hit by its failure.
    line.promise.catch(() => undefined);
    const timer = setTimeout(
      () => line.reject(new Error(`${command} said nothing; see ${options.logFile}`)),
      FIRST_LINE_MS_MAX,
    );
    let text = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const end = text.indexOf("\n");
      if (end >= 0) line.resolve(text.slice(0, end));
    });
    this.#child.on("exit", (code) => {
      clearTimeout(timer);
      line.reject(new Error(`it ended with ${code}; see ${options.logFile}`));
      ended.resolve();
    });
    this.#child.on("error", (error) => {
      line.reject(error);
      ended.resolve();
    });
    void line.promise.then(() => clearTimeout(timer)).catch(() => undefined);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until it ends by itself, and kills it when it does not; its exit code. */
  async result(limitMs: number): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
    await this.ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  /** Asks it to end, and kills it when it does not. */
  async stop(limitMs: number): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), limitMs);
    await this.ended;
    clearTimeout(timer);
  }
}

/**
 * Every process whose environment holds this text, and all that it started: an agent and what its
 * modules run. PostgreSQL's own children write their title over their environment.
 */
function processesWith(environmentEntry: string): readonly number[] {
  const others = readdirSync("/proc")
    .map(Number)
    .filter((id) => Number.isInteger(id) && id !== process.pid);
  const found = new Set(others.filter((id) => readOf(id, "environ").includes(environmentEntry)));
  if (found.size === 0) return [];
  const parents = new Map(others.map((id) => [id, parentOf(id)]));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [id, parent] of parents) if (found.has(parent)) found.add(id);
  }
  return [...found];
}

function readOf(id: number, file: string): string {
  try {
    return readFileSync(`/proc/${id}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** The fourth field of proc(5)'s stat, counted behind the name, which may hold anything. */
function parentOf(id: number): number {
  const stat = readOf(id, "stat");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

const KILL_ROUNDS_MAX = 20;

/** Kills them all as if their machine had died: stopped first, so that none sees another one go. */
export async function killAll(environmentEntry: string): Promise<void> {
  for (let round = 0; round < KILL_ROUNDS_MAX; round += 1) {
    const ids = processesWith(environmentEntry);
    if (ids.length === 0) return;
    for (const id of ids) send(id, "SIGSTOP");
    for (const id of ids) send(id, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function send(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal);
  } catch {
    // It has ended by itself.
  }
}
