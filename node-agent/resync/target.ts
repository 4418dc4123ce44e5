/** The secondary's side of a resync: answers questions in order, applies what it is sent. */

import type { TargetRecord } from "#model/replication/decide-resync.ts";
import type { DirtyEntry, DirtySnapshot } from "#model/replication/dirty-set.ts";
import { ok, type Result } from "#model/shared/result.ts";
import { bootMs } from "../adapters/linux/clock.ts";
import * as file from "../adapters/linux/file.ts";
import {
  applyData,
  applyDirectoryEnd,
  applyFileEnd,
  applyRanges,
  applyRemove,
} from "./apply-content.ts";
import { applyList } from "./apply-list.ts";
import { applyMove } from "./apply-move.ts";
import { Aside } from "./aside.ts";
import { findNames } from "./find-names.ts";
import {
  ChannelClosed,
  RECORD_BYTES_MAX,
  type ResyncError,
  type ResyncTargetOptions,
  type ResyncTargetSummary,
  type RunResyncTarget,
} from "./resync.ts";
import { outcomeOf, Stop } from "./stop.ts";
import { TargetRun } from "./target-run.ts";
import { check, FileFailure, Tree } from "./tree.ts";
import type { Message } from "./wire.ts";
import {
  decodeRecord,
  PLACES_MAX,
  PROTOCOL_VERSION,
  type TargetMessage,
  writeMessage,
} from "./wire.ts";
import { RecordWriter } from "./wire-bytes.ts";

const POLL_MS = 200;
const LINGER_MS_MAX = 10_000;
/** The source may count millions of files, or wait for its bandwidth; a dead link closes sooner. */
const SILENT_MS_MAX = 30 * 60_000;

/** See `RunResyncTarget`. */
export const runResyncTarget: RunResyncTarget = (options) => {
  const trees = options.trees.map((tree, index) => new Tree(index, tree));
  const aside = options.setAside === null ? null : new Aside(options.setAside);
  const run = new TargetRun(trees, options.marker, aside);
  try {
    return outcomeOf("targetFault", () => new TargetLoop(options, run, aside).run());
  } finally {
    run.closeListing();
    run.closeContent();
    aside?.closeAll();
    options.channel.close();
  }
};

class TargetLoop {
  readonly #options: ResyncTargetOptions;
  readonly #run: TargetRun;
  readonly #aside: Aside | null;
  readonly #writer = new RecordWriter(RECORD_BYTES_MAX);
  #isFinished = false;
  /** Parts of the own record that are still to be sent. */
  #recordParts: Extract<TargetMessage, { kind: "record" }>[] | null = null;

  constructor(options: ResyncTargetOptions, run: TargetRun, aside: Aside | null) {
    this.#options = options;
    this.#run = run;
    this.#aside = aside;
  }

  run(): Result<ResyncTargetSummary, ResyncError> {
    while (!this.#isFinished) {
      const decoded = decodeRecord(this.#receive());
      if (!decoded.ok) throw malformed(decoded.error);
      for (const message of decoded.value) this.#handle(message);
    }
    const { filesChanged, entriesRemoved } = this.#run;
    return ok({ filesChanged, entriesRemoved, entriesSetAside: this.#aside?.entries ?? 0 });
  }

  #receive(): Uint8Array {
    const sinceMs = bootMs();
    while (bootMs() - sinceMs < SILENT_MS_MAX) {
      if (this.#options.isCancelled()) throw new Stop({ kind: "cancelled" });
      const record = this.#options.channel.receive(POLL_MS);
      if (record !== null) return record;
    }
    throw new Stop({ kind: "timedOut" });
  }

  #handle(message: Message): void {
    try {
      this.#apply(message);
    } catch (thrown) {
      if (thrown instanceof FileFailure) this.#report(thrown);
      throw thrown;
    }
  }

  /**
   * Tells the source why, and reads on until it has hung up: closing at once would throw away what
   * is still under way to it (a TCP reset). A closed link changes nothing about the failure.
   */
  #report({ errno, operation, place }: FileFailure): void {
    try {
      this.#send({ kind: "fault", errno, operation, ...place });
      const sinceMs = bootMs();
      while (bootMs() - sinceMs < LINGER_MS_MAX) this.#options.channel.receive(POLL_MS);
    } catch (thrown) {
      if (!(thrown instanceof ChannelClosed)) throw thrown;
    }
  }

  #apply(message: Message): void {
    const run = this.#run;
    switch (message.kind) {
      case "hello":
        this.#send({ kind: "welcome", version: PROTOCOL_VERSION, trees: run.trees.length });
        return;
      case "recordAsked":
        this.#sendRecord();
        return;
      case "begin":
        if (!message.isDelta) this.#options.record.forget();
        return;
      case "list":
      case "names":
        this.#answer(applyList(run, this.#tree(message.tree), message));
        return;
      case "ranges":
        this.#answer(applyRanges(run, this.#tree(message.tree), message.path, message.items));
        return;
      case "data":
        applyData(run, this.#tree(message.tree), message);
        return;
      case "fileEnd":
        applyFileEnd(run, this.#tree(message.tree), message);
        return;
      case "directoryEnd":
        applyDirectoryEnd(run, this.#tree(message.tree), message);
        return;
      case "move":
        applyMove(run, this.#tree(message.tree), message.path, message.to);
        return;
      case "remove":
        if (message.path.length === 0) throw malformed("the root itself");
        applyRemove(run, this.#tree(message.tree), message.path);
        return;
      case "passEnd":
        this.#send({ kind: "passDone", dropped: run.endPass() });
        return;
      case "finish":
        this.#finish();
        return;
      default:
        throw malformed("an answer from the source");
    }
  }

  /** Only what is on stable storage is complete: then a power cut cannot make it half-written. */
  #finish(): void {
    this.#options.applied?.();
    for (const tree of this.#run.trees) {
      check(file.syncfs(tree.rootFd), "syncfs", tree.place(new Uint8Array()));
    }
    this.#options.record.complete();
    this.#run.markComplete();
    this.#send({ kind: "finished" });
    this.#isFinished = true;
  }

  #sendRecord(): void {
    this.#recordParts ??= partsOf(this.#options.record.offer(), (sought) =>
      findNames(this.#run.trees, sought),
    );
    const part = this.#recordParts.shift();
    if (part === undefined) throw malformed("asked for more of a record than there is");
    this.#send(part);
  }

  #answer(verdicts: Uint8Array | null): void {
    const isMissing = verdicts === null;
    this.#send({ kind: "answer", isMissing, verdicts: verdicts ?? new Uint8Array() });
  }

  #send(message: TargetMessage): void {
    writeMessage(this.#writer, message);
    this.#options.channel.send(this.#writer.take());
  }

  #tree(index: number): Tree {
    const tree = this.#run.trees[index];
    if (tree === undefined) throw malformed("a tree that is not there");
    return tree;
  }
}

/** With one more place of the longest kind a part fits into a record of the channel. */
const PART_BYTES_MAX = 256 * 1024;

/** In parts that fit; files that are known by their number here go by their names. */
function partsOf(
  offered: TargetRecord,
  namesOf: (sought: DirtySnapshot["sought"]) => DirtySnapshot["entries"],
): Extract<TargetMessage, { kind: "record" }>[] {
  const isRecord = offered.kind === "record";
  const head = {
    kind: "record",
    point: isRecord ? offered.point : "",
    why: isRecord ? "" : offered.why,
    everything: isRecord && offered.hot.everything,
  } as const;
  const left = isRecord ? [...offered.hot.entries, ...namesOf(offered.hot.sought)] : [];
  const parts: Extract<TargetMessage, { kind: "record" }>[] = [];
  let places: DirtyEntry[] = [];
  let bytes = 0;
  for (const place of left) {
    places.push(place);
    bytes += 16 + place.path.length + 16 * place.ranges.length;
    if (places.length < PLACES_MAX && bytes < PART_BYTES_MAX) continue;
    parts.push({ ...head, isLast: false, places });
    [places, bytes] = [[], 0];
  }
  return [...parts, { ...head, isLast: true, places }];
}

const malformed = (detail: string): Stop => new Stop({ kind: "malformed", detail });
