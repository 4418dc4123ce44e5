/**
 * Entry of a resync thread: runs one resync, as source or as target, over a sealed connection of
 * its own. Every call may block here. Whatever happens ends in one `finished`.
 */

import { join } from "node:path";
import { type MessagePort, workerData } from "node:worker_threads";
import { pointOf } from "#model/replication/change-record.ts";
import { EVERYTHING } from "#model/replication/dirty-set.ts";
import { bootMs } from "../adapters/linux/clock.ts";
import type {
  OfferedRecord,
  ResyncClock,
  ResyncCore,
  ResyncError,
  ResyncPlace,
} from "../resync/resync.ts";
import { runResyncSource } from "../resync/source.ts";
import { runResyncTarget } from "../resync/target.ts";
import { notePointNow, readRecordNow, removeRecordNow } from "./change-store.ts";
import { fullWantedMarker, incompleteMarker, joinedMarker } from "./incomplete-marker.ts";
import { ResyncCoreLink, type ResyncFailure, type ResyncSpec } from "./resync-link.ts";
import { connectBlocking, SealedChannel } from "./sealed-channel.ts";

type SourceSpec = Extract<ResyncSpec, { role: "source" }>;
type TargetSpec = Extract<ResyncSpec, { role: "target" }>;

const clock: ResyncClock = {
  nowMs: bootMs,
  sleepMs: (milliseconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  },
};

function run({ spec, port }: { readonly spec: ResyncSpec; readonly port: MessagePort }): void {
  const core = new ResyncCoreLink(port, spec.words, spec.wakeFd);
  let failure: ResyncFailure | null;
  try {
    failure = spec.role === "source" ? runSource(spec, core) : runTarget(spec, core);
  } catch (error) {
    failure = elsewhere(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  core.report({ kind: "finished", failure });
  port.close();
}

/** Null, or why it failed. */
function runSource(spec: SourceSpec, link: ResyncCoreLink): ResyncFailure | null {
  const { moduleId, nodeId, userTimeoutMs, session, address } = spec;
  const established = connectBlocking(
    {
      purpose: "resync",
      moduleId,
      nodeId,
      userTimeoutMs: Math.max(userTimeoutMs, CHANNEL_MS_MIN),
      session: () => session,
      addresses: () => [address],
    },
    bootMs,
  );
  if (typeof established === "string") {
    return elsewhere(`cannot connect for the resync: ${established}`);
  }
  const isCancelled = (): boolean => link.isCancelled;
  const channel = new SealedChannel(established, isCancelled);
  const result = runResyncSource({
    trees: spec.trees,
    channel,
    core: coreOf(link),
    clock,
    bandwidthBytesPerSecond: spec.bytesPerSecond,
    progress: (progress) => link.report({ kind: "progress", progress }),
    isCancelled,
  });
  channel.close();
  return result.ok ? null : failureOf(result.error, "sourceFault");
}

/** A resync may wait for the target's disk much longer than an application waits for a write. */
const CHANNEL_MS_MIN = 15_000;

function coreOf(link: ResyncCoreLink): ResyncCore {
  // A core that does not answer has ended or will end this run; nothing is believed clean.
  return {
    plan: (target) => {
      const answer = link.call({ kind: "plan", target });
      if (answer !== null && typeof answer === "object" && "places" in answer) return answer;
      return { kind: "full", why: "the data thread did not answer", places: EVERYTHING };
    },
    takeDirty: () => {
      const answer = link.call({ kind: "takeDirty" });
      const isSnapshot = answer !== null && typeof answer === "object" && "entries" in answer;
      return isSnapshot ? answer : EVERYTHING;
    },
    pause: () => link.call({ kind: "pause" }) === true,
    resume: () => {
      link.call({ kind: "resume" });
    },
    attach: () => link.call({ kind: "attach" }) === true,
    slow: (milliseconds) => {
      link.call({ kind: "slow", milliseconds });
    },
  };
}

function runTarget(spec: TargetSpec, link: ResyncCoreLink): ResyncFailure | null {
  const isCancelled = (): boolean => link.isCancelled;
  const channel = new SealedChannel(spec.established, isCancelled);
  const joined = joinedMarker(spec.stateDirectory);
  const result = runResyncTarget({
    trees: spec.trees,
    channel,
    record: offeredRecord(spec, joined.isSet()),
    marker: incompleteMarker(spec.stateDirectory),
    // A directory that was here before the module was: what is in it may be precious to somebody.
    setAside: joined.isSet() ? null : join(spec.stateDirectory, "aside", spec.attachmentId),
    isCancelled,
  });
  channel.close();
  if (!result.ok) return failureOf(result.error, "targetFault");
  joined.set();
  return null;
}

/** `isJoined`: this copy is the module's, and of the history that is served. */
function offeredRecord(
  { stateDirectory, attachmentId, trees }: TargetSpec,
  isJoined: boolean,
): OfferedRecord {
  const rootFds = trees.map(({ rootFd }) => rootFd);
  const fullWanted = fullWantedMarker(stateDirectory);
  return {
    offer: () => {
      if (fullWanted.isSet()) return { kind: "none", why: "a person asked for it" };
      if (!isJoined) return { kind: "none", why: "the copy is new, or of another history" };
      const found = readRecordNow(stateDirectory, rootFds);
      if (found.kind === "none") return found;
      return { kind: "record", point: found.point, hot: found.record.changes };
    },
    forget: () => removeRecordNow(stateDirectory),
    complete: () => {
      fullWanted.clear();
      notePointNow(stateDirectory, rootFds, pointOf(attachmentId, 0));
    },
  };
}

const elsewhere = (reason: string): ResyncFailure => ({ reason, errno: null });

/** `own`: the fault that means this node's disk. */
function failureOf(error: ResyncError, own: "sourceFault" | "targetFault"): ResyncFailure {
  return { reason: describe(error), errno: error.kind === own ? error.errno : null };
}

function describe(error: ResyncError): string {
  switch (error.kind) {
    case "sourceFault":
    case "targetFault":
      return `${error.kind}: ${error.operation} of ${show(error.place)}: errno ${error.errno}`;
    case "malformed":
    case "incompatible":
    case "refused":
      return `${error.kind}: ${error.detail}`;
    case "notConverging":
      return `writers were faster than ${error.passes} passes`;
    default:
      return error.kind;
  }
}

const show = (place: ResyncPlace): string =>
  `tree ${place.tree}, ${JSON.stringify(Buffer.from(place.path).toString())}`;

run(workerData);
