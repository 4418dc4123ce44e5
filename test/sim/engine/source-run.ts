import { Buffer } from "node:buffer";
import type { TargetRecord } from "#model/replication/decide-resync.ts";
import { type DirtyEntry, NOTHING } from "#model/replication/dirty-set.ts";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import { Connector } from "../../../node-agent/replication/connector.ts";
import type { ResyncAnswer } from "../../../node-agent/replication/resync-link.ts";
import type { Inode } from "../sim-tree.ts";
import { type Job, LOOK_MS, type ResyncHost, type ResyncRecord, ResyncRun } from "./resync-run.ts";

const CONNECT_MS_MAX = 10_000;
const PASSES_MAX = 12;
/** Files that may be left for the pass during which nobody is served. */
const SMALL_ENOUGH = 3;

/** The primary's side: tells what is there, pass after pass. */
export class SourceRun extends ResyncRun {
  readonly #job: Extract<Job, { role: "source" }>;
  #onTaken: ((missing: readonly string[]) => void) | null = null;

  constructor(host: ResyncHost, job: Extract<Job, { role: "source" }>) {
    super(host);
    this.#job = job;
    this.#connect();
  }

  protected override take(record: ResyncRecord): void {
    if (record.kind === "record") {
      this.#plan(targetRecord(record));
      return;
    }
    if (record.kind !== "answer") {
      this.finish("malformed");
      return;
    }
    if (record.failure !== null) {
      this.finish(record.failure);
      return;
    }
    const onTaken = this.#onTaken;
    this.#onTaken = null;
    onTaken?.(record.missing ?? []);
  }

  /** Only where the copies may differ, if both nodes' records can tell. */
  #plan(target: TargetRecord): void {
    this.call({ kind: "plan", target }, (plan) => {
      if (typeof plan === "boolean" || !("places" in plan)) {
        this.finish("no plan");
        return;
      }
      this.host.onPhase(plan.kind);
      this.#say({ kind: "begin", isDelta: plan.kind === "delta" }, () => {
        const paths = pathsOf(plan.places);
        if (paths.everything) this.#whole(1);
        else this.#pass(paths, () => this.#catchUp(2));
      });
    });
  }

  #connect(): void {
    const { moduleId, nodeId, session, address, userTimeoutMs } = this.#job;
    const { host } = this;
    let isThere = false;
    const connector = new Connector({
      ...{ purpose: "resync", moduleId, nodeId, userTimeoutMs, network: host.descriptors },
      session: () => session,
      addresses: () => [address],
      onConnected: (established) => {
        isThere = true;
        host.onPhase("comparing");
        this.open(established);
        this.send({ kind: "recordAsked" });
      },
    });
    const deadlineMs = host.nowMs() + CONNECT_MS_MAX;
    const look = (): void => {
      if (isThere || this.isOver) return;
      if (this.isCancelled || host.nowMs() > deadlineMs) {
        connector.close();
        this.finish(`cannot connect for the resync: ${connector.lastFailure}`);
        return;
      }
      connector.tick(host.nowMs());
      if ((host.descriptors.readiness(connector.fd) & connector.events) !== 0) connector.onReady();
      if (!isThere) host.after(LOOK_MS, look);
    };
    look();
  }

  #say(record: ResyncRecord, then: (missing: readonly string[]) => void): void {
    if (this.isCancelled) {
      this.finish("cancelled");
      return;
    }
    this.#onTaken = then;
    this.send(record);
  }

  /** A pass over everything. */
  #whole(pass: number): void {
    const names = [...this.host.disk.tree.names.keys()].sort();
    this.#say({ kind: "names", names }, () => this.#files(names, () => this.#catchUp(pass + 1)));
  }

  #files(names: readonly string[], then: () => void): void {
    const [name, ...rest] = names;
    if (name === undefined) {
      then();
      return;
    }
    this.host.after(this.host.fileMs, () => {
      if (this.host.disk.faults.dataError === "EIO") {
        this.finish("sourceFault: read", ERRNO.EIO);
        return;
      }
      const inode = this.host.disk.tree.names.get(name);
      if (inode === undefined) {
        this.#files(rest, then);
        return;
      }
      this.#say(fileRecord(name, inode), () => this.#files(rest, then));
    });
  }

  #catchUp(pass: number): void {
    if (pass > PASSES_MAX) {
      this.finish("writers were faster");
      return;
    }
    this.call({ kind: "takeDirty" }, (dirty) => {
      const before = pathsOf(dirty);
      if (before.everything) {
        this.#whole(pass);
        return;
      }
      if (before.files.length > SMALL_ENOUGH) {
        this.host.onPhase("catchingUp");
        return this.#pass(before, () => this.#catchUp(pass + 1));
      }
      this.#last(before, pass);
    });
  }

  #last(before: Paths, pass: number): void {
    this.host.onPhase("finalPass");
    this.call({ kind: "pause" }, (isPaused) => {
      if (isPaused !== true) {
        this.finish("the core could not pause");
        return;
      }
      this.call({ kind: "takeDirty" }, (dirty) => {
        const both = joined(before, pathsOf(dirty));
        if (both.everything || both.files.length > 2 * SMALL_ENOUGH) {
          this.call({ kind: "resume" }, () => this.#whole(pass));
          return;
        }
        this.#pass(both, () => this.#attach());
      });
    });
  }

  #attach(): void {
    this.call({ kind: "attach" }, (isAttached) => {
      if (isAttached !== true) {
        this.call({ kind: "resume" }, () => this.finish("the core could not attach"));
        return;
      }
      this.host.onPhase("syncing");
      this.call({ kind: "resume" }, () => this.#say({ kind: "finish" }, () => this.finish(null)));
    });
  }

  #pass(paths: Paths, then: () => void): void {
    if (!paths.listing) {
      this.#files(paths.files, then);
      return;
    }
    const names = [...this.host.disk.tree.names.keys()].sort();
    this.#say({ kind: "names", names }, (missing) => {
      this.#files([...new Set([...paths.files, ...missing])], then);
    });
  }
}

type OfferedRecord = Extract<ResyncRecord, { kind: "record" }>;

function targetRecord({ point, why, hot }: OfferedRecord): TargetRecord {
  if (point === null) return { kind: "none", why };
  const entries = (hot ?? []).map((name): DirtyEntry => {
    const what = { listing: name === "", subtree: name !== "", ranges: [], inodes: [] };
    return { tree: 0, path: Buffer.from(name), ...what };
  });
  return { kind: "record", point, hot: { ...NOTHING, everything: hot === null, entries } };
}

type Paths = {
  readonly everything: boolean;
  readonly listing: boolean;
  readonly files: readonly string[];
};

function pathsOf(dirty: ResyncAnswer): Paths {
  if (typeof dirty === "boolean" || "places" in dirty)
    return { everything: true, listing: true, files: [] };
  const paths = dirty.entries.map((entry) => Buffer.from(entry.path).toString());
  const listing = paths.includes("");
  const files = paths.filter((path) => path !== "");
  return { everything: dirty.everything, listing, files };
}

const joined = (a: Paths, b: Paths): Paths => ({
  everything: a.everything || b.everything,
  listing: a.listing || b.listing,
  files: [...new Set([...a.files, ...b.files])],
});

const fileRecord = (name: string, inode: Inode): ResyncRecord => ({
  ...{ kind: "file", name, stamp: inode.stamp, cells: [...inode.cells] },
});
