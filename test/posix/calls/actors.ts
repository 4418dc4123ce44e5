/** The processes that make the calls of cases: root's, another of root's, and two users'. */
import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import { ACTORS, type Actor, type Step } from "../language/parse.ts";
import type { Request } from "./actor-process.ts";

const PROCESS = path.join(import.meta.dirname, "actor-process.ts");
const ANSWER_MS_MAX = 30_000;
/** uid, gid, supplementary groups. */
const USERS: Record<Actor, readonly number[]> = {
  root: [],
  other: [],
  alice: [1001, 1001, 1001, 2000],
  bob: [1002, 1002, 1002],
};

/** One of them. What it answers comes in the order of what it was asked. */
class ActorProcess {
  readonly #child: ChildProcess;
  readonly #waiting: ((answer: string) => void)[] = [];
  readonly #early: string[] = [];
  isGone = false;

  constructor(actor: Actor) {
    const words = USERS[actor].map(String);
    this.#child = fork(PROCESS, words, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", (answer) => this.#answered(String(answer)));
    this.#child.on("exit", (code, signal) => {
      this.isGone = true;
      for (const waiting of this.#waiting.splice(0)) waiting(`ended by ${signal ?? code}`);
    });
  }

  #answered(answer: string): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#early.push(answer);
    else waiting(answer);
  }

  /** The next answer, within a bound: past that the process is killed. */
  answer(): Promise<string> {
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    if (this.isGone) return Promise.resolve("ended before");
    return new Promise((resolve) => {
      const bound = setTimeout(() => this.kill(), ANSWER_MS_MAX);
      this.#waiting.push((answer) => {
        clearTimeout(bound);
        resolve(answer);
      });
    });
  }

  send(request: Request): void {
    if (!this.isGone) this.#child.send(request);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

export class Actors {
  readonly #processes = new Map<Actor, ActorProcess>();

  static async start(): Promise<Actors> {
    const actors = new Actors();
    for (const actor of ACTORS) actors.#processes.set(actor, new ActorProcess(actor));
    for (const actor of ACTORS) await actors.#of(actor).answer();
    return actors;
  }

  /** A case may have killed one. */
  async #revive(): Promise<void> {
    for (const actor of ACTORS) {
      if (!this.#of(actor).isGone) continue;
      this.#processes.set(actor, new ActorProcess(actor));
      await this.#of(actor).answer();
    }
  }

  #of(actor: Actor): ActorProcess {
    const found = this.#processes.get(actor);
    if (found === undefined) throw new Error(`no ${actor}`);
    return found;
  }

  /** All of them begin anew, in `folder`. */
  async enter(folder: string): Promise<void> {
    await this.#revive();
    for (const actor of ACTORS) this.#of(actor).send({ folder });
    for (const actor of ACTORS) {
      const answer = await this.#of(actor).answer();
      if (answer !== "ok") throw new Error(`${actor} in ${folder}: ${answer}`);
    }
  }

  /** Keeps its descriptors, unlike `enter`. Its own directory may have been closed to it. */
  async goTo(actor: Actor, folder: string): Promise<void> {
    this.#of(actor).send({ call: "cd", words: [folder], name: null });
    await this.#of(actor).answer();
  }

  /** What the step answers; "begun" for one that is not waited for. */
  async make(step: Step): Promise<string> {
    const actor = this.#of(step.actor);
    if (step.call === "wait") return actor.answer();
    const { call, words, name } = step;
    actor.send({ call, words, name });
    return step.isBegun ? "begun" : actor.answer();
  }

  kill(): void {
    for (const actor of this.#processes.values()) actor.kill();
  }
}
