/** A source in this thread and a target in another, over temporary directories. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import type { TargetRecord } from "#model/replication/decide-resync.ts";
import { DirtySet, EVERYTHING } from "#model/replication/dirty-set.ts";
import type { Result } from "#model/shared/result.ts";
import { incompleteMarker } from "../../replication/incomplete-marker.ts";
import type {
  RecordChannel,
  ResyncCore,
  ResyncError,
  ResyncProgress,
  ResyncSummary,
  ResyncTargetSummary,
} from "../resync.ts";
import { runResyncSource } from "../source.ts";
import { showPath, Tree } from "../tree.ts";
import { differencesOf } from "../tree-digest.ts";
import { newSignals, PortChannel } from "./port-channel.ts";
import type { TargetJob } from "./target-worker.ts";

export type PairOptions = {
  readonly core?: Partial<ResyncCore>;
  readonly exclusions?: readonly string[];
  readonly setAside?: boolean;
  /** What the target says of its copy. */
  readonly record?: TargetRecord;
  readonly bandwidthBytesPerSecond?: number;
  readonly isCancelled?: () => boolean;
  readonly progress?: (progress: ResyncProgress) => void;
  readonly channel?: (channel: RecordChannel) => RecordChannel;
};

export type PairOutcome = {
  readonly source: Result<ResyncSummary, ResyncError>;
  readonly target: Result<ResyncTargetSummary, ResyncError>;
};

/** Directories `source` and `target` of a temporary folder, and the marker and aside paths. */
export class Pair {
  readonly folder: string;
  readonly source: string;
  readonly target: string;
  readonly state: string;
  readonly aside: string;
  readonly #worker: Worker;

  /** `inMemory`: on tmpfs where there is one, since what waits for a disk makes hundreds of runs slow. */
  constructor({ inMemory = false }: { readonly inMemory?: boolean } = {}) {
    const base = inMemory && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    this.folder = mkdtempSync(join(base, "mirrorfarm-resync-"));
    this.source = join(this.folder, "source");
    this.target = join(this.folder, "target");
    this.state = join(this.folder, "state");
    this.aside = join(this.folder, "state", "aside");
    this.#worker = new Worker(new URL("./target-worker.ts", import.meta.url));
    this.empty();
  }

  /** Both directories as new. */
  empty(): void {
    for (const path of [this.source, this.target, this.aside]) {
      if (!existsSync(path)) continue;
      // chattr(1)'s flags would keep even root from removing what a test has made.
      if (spawnSync("rm", ["-rf", path]).status === 0) continue;
      spawnSync("chattr", ["-R", "-f", "-i", "-a", path]);
      execFileSync("rm", ["-rf", path]);
    }
    incompleteMarker(this.state).clear();
    mkdirSync(this.source);
    mkdirSync(this.target);
  }

  get isMarked(): boolean {
    return incompleteMarker(this.state).isSet();
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.empty();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One whole run. The source blocks this thread meanwhile; `core` is called on it. */
  async run(options: PairOptions = {}): Promise<PairOutcome> {
    const { port1, port2 } = new MessageChannel();
    const signals = newSignals();
    const exclusions = (options.exclusions ?? []).map((path) => Buffer.from(path));
    const ended = new Promise<PairOutcome["target"]>((resolve) => {
      this.#worker.once("message", resolve);
    });
    const job: TargetJob = {
      port: port2,
      signals,
      directories: [this.target],
      exclusions,
      stateDirectory: this.state,
      setAside: options.setAside ? this.aside : null,
      record: options.record ?? { kind: "none", why: "a test says so" },
    };
    this.#worker.postMessage(job, [port2]);
    const rootFd = openSync(this.source, "r");
    const channel = new PortChannel(port1, signals, 0);
    const source = runResyncSource({
      trees: [{ rootFd, exclusions }],
      channel: options.channel?.(channel) ?? channel,
      core: { ...idleCore(), ...options.core },
      clock: { nowMs: () => performance.now(), sleepMs },
      bandwidthBytesPerSecond: options.bandwidthBytesPerSecond ?? null,
      progress: options.progress ?? (() => {}),
      isCancelled: options.isCancelled ?? (() => false),
    });
    closeSync(rootFd);
    const target = await ended;
    port1.close();
    return { source, target };
  }

  /** Every difference as `kind path`, at most a few. */
  differences(exclusions: readonly string[] = []): string[] {
    const [a, b] = [openSync(this.source, "r"), openSync(this.target, "r")];
    const excluded = exclusions.map((path) => Buffer.from(path));
    const found: string[] = [];
    const first = new Tree(0, { rootFd: a, exclusions: excluded });
    const second = new Tree(1, { rootFd: b, exclusions: excluded });
    for (const { kind, path, detail } of differencesOf(first, second)) {
      if (found.length < 20) found.push(`${kind} /${showPath(path)} ${detail}`);
    }
    closeSync(a);
    closeSync(b);
    return found;
  }
}

const sleepMs = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};

/** An application that does nothing. */
export function idleCore(): ResyncCore {
  return {
    plan: () => ({ kind: "full", why: "a test", places: EVERYTHING }),
    takeDirty: () => new DirtySet().take(),
    pause: () => true,
    resume: () => {},
    attach: () => true,
    slow: () => {},
  };
}
