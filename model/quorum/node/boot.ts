import type { BootMs } from "../../shared/ids.ts";
import { freshDisk, type NodeDisk } from "../disk.ts";
import { keptPrimary } from "../kept.ts";
import { carryOver } from "../maintenance.ts";
import type { NodeConfig, NodeEvent } from "../types.ts";
import { NEVER_HEARD, type NodeState, type Role } from "./state.ts";

export type Started = Extract<NodeEvent, { kind: "started" }>;

/** Before `started` nothing is known: this is what the shell hands to the first decision. */
export type Unstarted = { readonly config: NodeConfig };

/**
 * The agent begins. Its own memory is gone, the disk is not: what was promised may still bind, what
 * was asked may still be granted, and after a death of the OS the page cache is lost.
 */
export function boot(config: NodeConfig, e: Started, nowMs: BootMs): NodeState {
  const isSameBoot = e.disk?.bootId === e.bootId;
  const disk = bootDisk(config, e, isSameBoot, nowMs);
  const { bootWaitMs } = config.timers;
  const isServiceUp = e.isServiceUp === true;
  return {
    config,
    incarnation: e.incarnation,
    disk,
    role: bootRole(disk, isServiceUp, nowMs),
    startedMs: nowMs,
    isSameBoot,
    bootWaitUntilMs: isSameBoot ? nowMs : nowMs + bootWaitMs,
    promotableAtMs: nowMs + disk.longestPromiseMs,
    data: e.data,
    newHistoryId: e.newHistoryId,
    dataFrom: null,
    peers: Object.fromEntries(config.peers.map((id) => [id, NEVER_HEARD])),
    promises: { closesPending: 0, lastEndsMs: null },
    witness: {
      record: null,
      pending: null,
      lastAnswerMs: null,
      silentSinceMs: null,
      notBeforeMs: nowMs,
      grantUntilMs: null,
      reported: null,
    },
    drainsPending: 0,
    pairing: null,
    attachedEpoch: e.kept?.role === "secondary" && e.kept.isAttached ? e.kept.epoch : null,
    voteGiven: null,
    unconfirmedSinceMs: null,
    accuseFromMs: nowMs,
    blocker: null,
    heldBlocker: null,
    unixAheadMs: e.nowUnixMs === undefined ? null : e.nowUnixMs - nowMs,
    fault: null,
    faultSinceMs: nowMs,
    isServiceUp,
    kept: keptPrimary(disk, e.kept),
    counter: 1,
    reports: [],
    shown: null,
  };
}

function bootDisk(config: NodeConfig, e: Started, isSameBoot: boolean, nowMs: BootMs): NodeDisk {
  // A file of an older agent lacks what was added since.
  const fresh = freshDisk(config.moduleId, config.self, e.bootId, e.isDiskLost);
  const disk = e.disk === null ? fresh : { ...fresh, ...e.disk };
  const wasWanted =
    isSameBoot || e.atBoot === "asBefore" ? disk.isStartWanted : e.atBoot === "start";
  const isUnclean = disk.isUnclean || (!isSameBoot && mayHaveLostWrites(disk, config));
  return {
    ...disk,
    bootId: e.bootId,
    maintenance: carryOver(disk.maintenance, isSameBoot, nowMs, e.nowUnixMs ?? null),
    isUnclean,
    isStartWanted: wasWanted,
    isStoppedCleanly: !wasWanted && (disk.isStoppedCleanly || !isSameBoot),
    // Durable before the first promise of this length is given.
    longestPromiseMs: Math.max(disk.longestPromiseMs, config.timers.peerLeaseMs),
  };
}

/** The OS died with the data plane open, and another node may have what the page cache held. */
function mayHaveLostWrites(disk: NodeDisk, config: NodeConfig): boolean {
  if (disk.isStoppedCleanly || disk.outdated || disk.epoch === 0) return false;
  const isNeeded = (id: string) => disk.joining === id || disk.inSync.includes(id);
  const isAlone = disk.primary === config.self && !config.peers.some(isNeeded);
  return !isAlone;
}

function bootRole(disk: NodeDisk, isServiceUp: boolean, nowMs: BootMs): Role {
  if (disk.isStartWanted) return { kind: "waiting", sinceMs: nowMs, retryAtMs: nowMs };
  if (disk.isStoppedCleanly) return { kind: "stopped" };
  // The agent died while it stopped the module: finish that.
  const step = isServiceUp ? "stoppingService" : "closing";
  return { kind: "stopping", step, goal: "stop", sinceMs: nowMs };
}
