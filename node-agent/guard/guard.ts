import { type ChildProcess, spawn } from "node:child_process";
import { bootMs } from "../adapters/linux/clock.ts";
import { parseGuardReport } from "./fence-order.ts";
import { type DueFence, GuardBook } from "./guard-book.ts";
import { hold, takeDown } from "./take-down.ts";

/** The descriptor by which the agent finds its guard, in this environment variable. */
export const GUARD_DESCRIPTOR = 3;
export const GUARD_DESCRIPTOR_VARIABLE = "MIRRORFARM_GUARD_DESCRIPTOR";
/** An agent that ends with this status must not be started again: its command line is wrong. */
export const USAGE_STATUS = 2;

const TICK_MS = 50;
/** A tick that comes later than this says that the guard itself stood still. */
const GAP_MS = 500;
/** Between attempts at what could not be taken down. */
const REPEAT_MS = 500;
/** At once: the leases of what it served run out meanwhile. */
const RESTART_MS_FIRST = 0;
const RESTART_MS_NEXT = 200;
const RESTART_MS_MAX = 10_000;
/** An agent that lived this long has not failed at its start: the pause begins anew. */
const HEALTHY_MS = 10_000;
/** An agent asked to stop gets this long: its modules' stop scripts run meanwhile. */
const STOP_MS_MAX = 600_000;
/** An agent that is to be replaced lets its modules' scripts end first; no longer than this. */
const REPLACE_MS_MAX = 60_000;
/** Bytes without an end of line: more is not our agent speaking. */
const LINE_BYTES_MAX = 1_048_576;

export type GuardOptions = {
  /** The agent's command. */
  readonly command: readonly [string, ...string[]];
  readonly log: (line: string) => void;
};

/** Runs the agent and fences for it. `run` resolves with the status that the guard ends with. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #book = new GuardBook();
  readonly #ended = Promise.withResolvers<number>();
  /** When each module's last, incomplete attempt was. */
  readonly #triedAtBootMs = new Map<string, number>();
  #agent: ChildProcess | null = null;
  #startedAtBootMs = 0;
  #restartMs = RESTART_MS_FIRST;
  #tick: NodeJS.Timeout | null = null;
  #lookedAtBootMs = bootMs();
  #isStopping = false;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  run(): Promise<number> {
    this.#start();
    this.#tick = setInterval(() => this.#look(), TICK_MS);
    return this.#ended.promise;
  }

  /**
   * Has the agent end and starts it again at once, from the files that are there now: an upgrade.
   * What it serves goes on meanwhile, for as long as the leases last; nothing is stopped for it.
   */
  replaceAgent(): void {
    const agent = this.#agent;
    if (this.#isStopping || agent === null) return;
    this.#options.log("the agent is to be replaced");
    this.#restartMs = 0;
    agent.kill("SIGHUP");
    setTimeout(() => {
      if (agent === this.#agent) agent.kill("SIGKILL");
    }, REPLACE_MS_MAX).unref();
  }

  /** Asks the agent to stop in order; a second time, or when that takes too long, it is killed. */
  stop(): void {
    const agent = this.#agent;
    const isFirst = !this.#isStopping;
    this.#isStopping = true;
    if (agent === null) {
      this.#finish(0);
      return;
    }
    agent.kill(isFirst ? "SIGTERM" : "SIGKILL");
    if (isFirst) setTimeout(() => agent.kill("SIGKILL"), STOP_MS_MAX).unref();
  }

  #start(): void {
    const [file, ...args] = this.#options.command;
    this.#startedAtBootMs = bootMs();
    const agent = spawn(file, args, {
      // A session of its own: Ctrl-C at a terminal reaches the guard alone, which asks in order.
      detached: true,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: { ...process.env, [GUARD_DESCRIPTOR_VARIABLE]: `${GUARD_DESCRIPTOR}` },
    });
    this.#agent = agent;
    agent.on("error", (cause) => this.#options.log(`the agent: ${cause.message}`));
    let isOver = false;
    const over = (status: string, code: number | null): void => {
      if (isOver) return;
      isOver = true;
      this.#agentEnded(status, code);
    };
    agent.once("exit", (code, signal) => over(signal ?? `status ${code}`, code));
    // Without a process there is no exit event: spawn(2) itself failed.
    if (agent.pid === undefined) setImmediate(() => over("it could not be started", null));
    this.#read(agent);
  }

  #read(agent: ChildProcess): void {
    const pipe = agent.stdio[GUARD_DESCRIPTOR];
    if (pipe === null || pipe === undefined || !("setEncoding" in pipe)) return;
    let held = "";
    pipe.setEncoding("utf8");
    pipe.on("data", (text: string) => {
      const lines = (held + text).split("\n");
      held = lines.pop() ?? "";
      if (held.length > LINE_BYTES_MAX) held = "";
      for (const line of lines) {
        const report = parseGuardReport(line);
        if (report === null) this.#options.log("the agent sent a malformed report");
        else this.#book.note(report, bootMs());
      }
    });
    pipe.on("error", () => {});
  }

  #agentEnded(how: string, code: number | null): void {
    this.#agent = null;
    this.#book.noteAgentDied();
    if (this.#isStopping || code === USAGE_STATUS) {
      this.#finish(code ?? 1);
      return;
    }
    const livedMs = bootMs() - this.#startedAtBootMs;
    if (livedMs >= HEALTHY_MS) this.#restartMs = RESTART_MS_FIRST;
    this.#options.log(`the agent ended (${how}), it is started again in ${this.#restartMs} ms`);
    setTimeout(() => {
      if (this.#isStopping) this.#finish(0);
      else this.#start();
    }, this.#restartMs);
    this.#restartMs = Math.min(RESTART_MS_MAX, Math.max(RESTART_MS_NEXT, this.#restartMs * 2));
  }

  #look(): void {
    const nowBootMs = bootMs();
    if (nowBootMs - this.#lookedAtBootMs > GAP_MS) {
      this.#book.noteGap({ fromBootMs: this.#lookedAtBootMs, toBootMs: nowBootMs });
    }
    this.#lookedAtBootMs = nowBootMs;
    for (const due of this.#book.due(this.#agent !== null, nowBootMs)) {
      if (nowBootMs - (this.#triedAtBootMs.get(due.moduleId) ?? 0) < REPEAT_MS) continue;
      this.#triedAtBootMs.set(due.moduleId, nowBootMs);
      if (due.step === "hold") this.#hold(due, nowBootMs);
      else this.#takeDown(due);
    }
    if (this.#agent !== null && this.#book.isAgentBeyondHope(nowBootMs)) {
      this.#options.log("the agent hangs and is killed");
      this.#agent.kill("SIGKILL");
    }
  }

  #hold(due: DueFence, nowBootMs: number): void {
    const { moduleId, targets, isOrphan } = due;
    const problems = hold(targets);
    const outcome = problems.length === 0 ? "held" : problems.join("; ");
    this.#options.log(`${moduleId}: the lease ended and the agent did not fence it: ${outcome}`);
    // What cannot be made to stand still is ended.
    if (problems.length > 0) this.#takeDown(due);
    else this.#book.noteHeld(moduleId, nowBootMs);
    // It would never learn that its module was stopped; the next one expects it.
    if (!isOrphan) this.#agent?.kill("SIGKILL");
  }

  #takeDown({ moduleId, targets }: DueFence): void {
    const problems = takeDown(targets);
    if (problems.length === 0) this.#book.noteFenced(moduleId);
    this.#options.log(`${moduleId}: taken down: ${problems.join("; ") || "done"}`);
  }

  /** Nobody watches any more, so nothing that needs a lease may stay. */
  #finish(status: number): void {
    if (this.#tick !== null) clearInterval(this.#tick);
    for (const { moduleId, targets } of this.#book.due(false, Number.MAX_VALUE)) {
      const problems = takeDown(targets);
      this.#options.log(`${moduleId}: taken down at the end: ${problems.join("; ") || "done"}`);
    }
    this.#ended.resolve(status);
  }
}
