/** The primary's side of a resync: its course, from greeting to the live stream (see resync.ts). */
import type { ResyncPlan, TargetRecord } from "#model/replication/decide-resync.ts";
import {
  type DirtyEntry,
  DirtySet,
  type DirtySnapshot,
  NOTHING,
} from "#model/replication/dirty-set.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { Bandwidth } from "./bandwidth.ts";
import { countTree, isSmallEnough } from "./counting.ts";
import { Outbox } from "./outbox.ts";
import { Progress } from "./progress.ts";
import type { ResyncError, ResyncSourceOptions, ResyncSummary, RunResyncSource } from "./resync.ts";
import { handleSnapshot } from "./source-dirty.ts";
import { SourceRun } from "./source-run.ts";
import { sendPendingFiles, walk } from "./source-walk.ts";
import { outcomeOf, Stop } from "./stop.ts";
import { Tree } from "./tree.ts";
import { PROTOCOL_VERSION } from "./wire.ts";

/** Then the run fails: it must not go on for ever against a busy application. */
export const PASSES_MAX = 24;
/** From this pass on writers are slowed, twice as much each time, up to `SLOW_MS_MAX` a mutation. */
const SLOW_FROM_PASS = 6;
const SLOW_MS_MAX = 64;
const ROOT = new Uint8Array();

/** See `RunResyncSource`. Opens nothing that it does not close; leaves the core running. */
export const runResyncSource: RunResyncSource = (options) => {
  const { clock, channel, isCancelled } = options;
  const progress = new Progress(() => clock.nowMs(), options.progress);
  const bandwidth = new Bandwidth(options.bandwidthBytesPerSecond, clock);
  const outbox = new Outbox({ channel, bandwidth, clock, progress, isCancelled });
  const trees = options.trees.map((tree, index) => new Tree(index, tree));
  const run = new SourceRun(trees, outbox, progress);
  try {
    return outcomeOf("sourceFault", () => new Course(options, run).run());
  } finally {
    run.closeAll();
    channel.close();
  }
};

class Course {
  readonly #options: ResyncSourceOptions;
  readonly #run: SourceRun;
  #pausedAtMs: number | null = null;
  #pausedMs = 0;
  #isSlowed = false;

  constructor(options: ResyncSourceOptions, run: SourceRun) {
    this.#options = options;
    this.#run = run;
  }

  run(): Result<ResyncSummary, ResyncError> {
    try {
      this.#greet();
      const plan = this.#plan();
      this.#count(plan.places);
      this.#pass(plan.places);
      const caughtUp = this.#catchUp();
      if (!caughtUp.ok) return caughtUp;
      this.#run.progress.enter("syncing");
      this.#run.progress.whileWaiting("targetDisk", () =>
        this.#run.outbox.settle({ kind: "finish" }),
      );
      this.#run.progress.enter("finished");
      return ok(this.#summary());
    } finally {
      // Whatever ended the run, the application goes on at full speed.
      if (this.#pausedAtMs !== null) this.#resume();
      if (this.#isSlowed) this.#options.core.slow(0);
    }
  }

  #greet(): void {
    const { trees, outbox } = this.#run;
    const hello = { kind: "hello", version: PROTOCOL_VERSION, trees: trees.length } as const;
    const welcome = outbox.settle(hello);
    if (welcome.kind !== "welcome") throw incompatible("the target did not answer the greeting");
    if (welcome.version !== PROTOCOL_VERSION) {
      throw incompatible(`the target speaks version ${welcome.version}, not ${PROTOCOL_VERSION}`);
    }
    if (welcome.trees !== trees.length) {
      throw incompatible(`the target has ${welcome.trees} directories, not ${trees.length}`);
    }
  }

  /** Only where the copies may differ, if both nodes' records can tell. */
  #plan(): ResyncPlan {
    const { outbox, progress } = this.#run;
    const plan = this.#options.core.plan(this.#targetRecord());
    const { kind, why } = plan;
    progress.comparison = { kind, why };
    outbox.post({ kind: "begin", isDelta: kind === "delta", why });
    return plan;
  }

  #targetRecord(): TargetRecord {
    const entries: DirtyEntry[] = [];
    for (;;) {
      const part = this.#run.outbox.settle({ kind: "recordAsked" });
      if (part.kind !== "record") throw new Stop({ kind: "malformed", detail: "no record" });
      if (part.point === "") return { kind: "none", why: part.why };
      entries.push(...part.places);
      if (!part.isLast) continue;
      const hot = { ...NOTHING, everything: part.everything, entries };
      return { kind: "record", point: part.point, hot };
    }
  }

  /** So that "how long will it take" has an answer. The walk also brings metadata into memory. */
  #count(places: DirtySnapshot): void {
    const { progress, trees } = this.#run;
    progress.enter("counting");
    // Of a few places it is soon told by having looked at them.
    if (!places.everything) {
      progress.filesTotal = places.entries.length;
      progress.enter("comparing");
      return;
    }
    for (const tree of trees) {
      countTree(tree, ROOT, (sizeBytes) => {
        progress.filesTotal += 1;
        progress.bytesTotal += sizeBytes;
        progress.tick();
        if (progress.filesTotal % 1024 === 0 && this.#options.isCancelled()) {
          throw new Stop({ kind: "cancelled" });
        }
        return true;
      });
    }
    progress.enter("comparing");
  }

  /** Passes over what changed meanwhile, until the target is equal and the stream attached. */
  #catchUp(): Result<void, ResyncError> {
    const { progress } = this.#run;
    for (let pass = 2; pass <= PASSES_MAX; pass += 1) {
      progress.pass = pass;
      this.#slowDown(pass);
      const snapshot = this.#takeDirty();
      if (!isSmallEnough(this.#run.trees, snapshot)) {
        progress.enter("catchingUp");
        this.#pass(snapshot);
        continue;
      }
      progress.enter("finalPass");
      const isEqual = this.#finalPass(snapshot);
      if (!isEqual.ok) return isEqual;
      if (isEqual.value) return this.#attach();
      // Too much had changed by the time the core had paused: not yet.
      this.#resume();
    }
    return err({ kind: "notConverging", passes: PASSES_MAX });
  }

  /** With the core paused. False: more is left than the application should wait for. */
  #finalPass(before: DirtySnapshot): Result<boolean, ResyncError> {
    const { core, clock } = this.#options;
    const paused = this.#run.progress.whileWaiting("core", () => core.pause());
    if (!paused) {
      return err({ kind: "refused", detail: "the core could not pause" });
    }
    this.#pausedAtMs = clock.nowMs();
    this.#run.again.add(before);
    const snapshot = this.#takeDirty();
    if (!isSmallEnough(this.#run.trees, snapshot)) {
      this.#run.again.add(snapshot);
      return ok(false);
    }
    this.#pass(snapshot);
    return ok(this.#run.again.isEmpty);
  }

  /** One pass; what could not be placed is in `again` afterwards. */
  #pass(snapshot: DirtySnapshot): void {
    const { links, outbox, trees, again } = this.#run;
    links.beginPass();
    if (snapshot.everything) this.#noteFull();
    this.#run.isWholePass = snapshot.everything;
    if (snapshot.everything) {
      for (const tree of trees) walk(this.#run, tree, ROOT);
    } else {
      handleSnapshot(this.#run, snapshot);
    }
    do {
      sendPendingFiles(this.#run);
      outbox.drain();
    } while (this.#run.files.length > 0);
    this.#run.regroup.clear();
    const done = outbox.settle({ kind: "passEnd" });
    if (done.kind !== "passDone") throw new Stop({ kind: "malformed", detail: "no end of pass" });
    if (done.dropped > 0) again.changedEverything();
    for (const { tree, inodeKey } of links.unfound(snapshot.everything)) {
      again.changedInode(tree, inodeKey);
    }
    for (const { tree, names } of links.takeSuspects()) {
      for (const name of names.values()) again.changedSubtree(tree, name);
    }
  }

  /** Some answer did not fit to what was known: then nothing is believed. */
  #noteFull(): void {
    const { progress, outbox } = this.#run;
    if (progress.comparison?.kind !== "delta") return;
    const why = "the copies differed where no record said so";
    progress.comparison = { kind: "full", why };
    outbox.post({ kind: "begin", isDelta: false, why });
  }

  #takeDirty(): DirtySnapshot {
    const joined = new DirtySet();
    joined.add(this.#run.again.take());
    joined.add(this.#options.core.takeDirty());
    return joined.take();
  }

  #slowDown(pass: number): void {
    if (pass < SLOW_FROM_PASS) return;
    this.#isSlowed = true;
    this.#options.core.slow(Math.min(2 ** (pass - SLOW_FROM_PASS), SLOW_MS_MAX));
  }

  #attach(): Result<void, ResyncError> {
    const attached = this.#options.core.attach();
    // From here the core goes on by itself, whatever it answered.
    this.#endPause();
    if (attached) return ok(undefined);
    return err({ kind: "refused", detail: "the live stream could not be attached" });
  }

  #resume(): void {
    this.#endPause();
    this.#options.core.resume();
  }

  #endPause(): void {
    if (this.#pausedAtMs === null) return;
    this.#pausedMs += this.#options.clock.nowMs() - this.#pausedAtMs;
    this.#pausedAtMs = null;
  }

  #summary(): ResyncSummary {
    const { pass, comparison, filesChecked, bytesChecked, bytesSent } = this.#run.progress;
    const counts = { filesChecked, bytesChecked, bytesSent };
    return { comparison, passes: pass, ...counts, pausedMs: this.#pausedMs };
  }
}

const incompatible = (detail: string): Stop => new Stop({ kind: "incompatible", detail });
