/**
 * The time of the simulated world: an ordered queue of tasks. One task runs, then every promise
 * that it settled runs to its end, then the checkers look, then comes the next task. So the order
 * of everything is the order of this queue, and a seed has one history.
 *
 * Two times. The world's own, which all machines' clocks are made from, and *true* time, which the
 * traces tell and the faults are planned in. They differ by what was skipped: a stretch in which
 * nothing happens but heartbeats is left out for the machines, and counted for the calendar.
 */

export type Cancel = () => void;

type Task = { readonly atMs: number; readonly order: number; run: (() => void) | null };

/** Binary heap by time, then by order of planning. */
class TaskHeap {
  readonly #tasks: Task[] = [];

  get first(): Task | undefined {
    return this.#tasks[0];
  }

  push(task: Task): void {
    const tasks = this.#tasks;
    let at = tasks.length;
    tasks.push(task);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = tasks[parent];
      if (above === undefined || !isBefore(task, above)) break;
      tasks[at] = above;
      at = parent;
    }
    tasks[at] = task;
  }

  pop(): Task | undefined {
    const tasks = this.#tasks;
    const first = tasks[0];
    const last = tasks.pop();
    if (first === undefined || last === undefined || tasks.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let smaller = tasks[child];
      const right = tasks[child + 1];
      if (smaller === undefined) break;
      if (right !== undefined && isBefore(right, smaller)) {
        smaller = right;
        child += 1;
      }
      if (!isBefore(smaller, last)) break;
      tasks[at] = smaller;
      at = child;
    }
    tasks[at] = last;
    return first;
  }
}

const isBefore = (a: Task, b: Task): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Node delivers unhandled rejections only between turns of its own loop. */
const STEPS_PER_TURN = 5000;

export type Kind =
  /** Comes again and again by itself and changes nothing while all is well. */
  | "routine"
  /** Everything else that a machine does. */
  | "work"
  /** Planned in true time: faults, clients, the control plane. */
  | "calendar";

export class VirtualClock {
  nowMs = 0;
  skippedMs = 0;
  steps = 0;
  readonly #heaps: Readonly<Record<Kind, TaskHeap>> = {
    routine: new TaskHeap(),
    work: new TaskHeap(),
    calendar: new TaskHeap(),
  };
  #order = 0;
  #untilMs = 0;
  #afterStep: () => void = () => undefined;
  #run: PromiseWithResolvers<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  /** The kind of the task that runs now; what it plans may depend on it. */
  running: Kind = "work";

  get trueMs(): number {
    return this.nowMs + this.skippedMs;
  }

  /** Plans a task; `calendar` ones in true time. */
  after(kind: Kind, delayMs: number, run: () => void): Cancel {
    const baseMs = kind === "calendar" ? this.trueMs : this.nowMs;
    this.#order += 1;
    const task: Task = { atMs: baseMs + Math.max(0, delayMs), order: this.#order, run };
    this.#heaps[kind].push(task);
    return () => {
      task.run = null;
    };
  }

  /** When the next task of that kind is due, in the world's time; null when none is. */
  nextMs(kind: Kind): number | null {
    const heap = this.#heaps[kind];
    while (heap.first !== undefined && heap.first.run === null) heap.pop();
    const atMs = heap.first?.atMs ?? null;
    return atMs === null || kind !== "calendar" ? atMs : atMs - this.skippedMs;
  }

  get calendarMs(): number | null {
    return this.nextMs("calendar");
  }

  /** Until when the present run goes, in the world's time. */
  get endMs(): number {
    return this.#untilMs - this.skippedMs;
  }

  /** Lets the calendar go on by this much while no machine's clock does. */
  skip(durationMs: number): void {
    this.skippedMs += durationMs;
  }

  /** Runs everything that is due until that true time. */
  runUntil(trueMs: number, afterStep: () => void): Promise<void> {
    this.#untilMs = trueMs;
    this.#afterStep = afterStep;
    // What was found between two runs ends the next one.
    if (this.#failure !== null) return Promise.reject(this.#failure.error);
    const run = Promise.withResolvers<void>();
    this.#run = run;
    setImmediate(this.#step);
    return run.promise;
  }

  /** Ends the run at once, as a checker found something. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    const run = this.#run;
    this.#run = null;
    run?.reject(error);
  }

  // Node runs all microtasks to their end before it goes on to the next tick: that is what makes
  // "one task, all its promises, the next task" exact.
  readonly #step = (): void => {
    if (this.#run === null) return;
    try {
      const task = this.#next();
      if (task === null) {
        this.nowMs = Math.max(this.nowMs, this.#untilMs - this.skippedMs);
        const run = this.#run;
        this.#run = null;
        run.resolve();
        return;
      }
      this.steps += 1;
      task.run?.();
    } catch (error) {
      this.fail(error);
      return;
    }
    queueMicrotask(this.#drained);
  };

  readonly #drained = (): void => {
    if (this.steps % STEPS_PER_TURN === 0) setImmediate(this.#look);
    else process.nextTick(this.#look);
  };

  readonly #look = (): void => {
    if (this.#run === null) return;
    try {
      this.#afterStep();
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#step();
  };

  #next(): Task | null {
    const routineMs = this.nextMs("routine");
    const workMs = this.nextMs("work");
    const calendarMs = this.nextMs("calendar");
    let kind: Kind | null = null;
    let atMs = Number.POSITIVE_INFINITY;
    if (calendarMs !== null && calendarMs < atMs) [kind, atMs] = ["calendar", calendarMs];
    if (workMs !== null && workMs < atMs) [kind, atMs] = ["work", workMs];
    if (routineMs !== null && routineMs < atMs) [kind, atMs] = ["routine", routineMs];
    if (kind === null || atMs > this.#untilMs - this.skippedMs) return null;
    this.running = kind;
    if (atMs > this.nowMs) this.nowMs = atMs;
    return this.#heaps[kind].pop() ?? null;
  }
}
