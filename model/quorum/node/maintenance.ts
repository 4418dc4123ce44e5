import type { BootMs, UnixMs } from "../../shared/ids.ts";
import { utcText } from "../../shared/utc-text.ts";
import { adopted, BY_CHARS_MAX, MAINTENANCE_MS_MAX, type Maintenance } from "../maintenance.ts";
import type { PeerState } from "../peer-state.ts";
import type { Command } from "../types.ts";
import { viewOf } from "./facts.ts";
import { type NodeState, patch, patchDisk, report } from "./state.ts";

/**
 * While a person works on the machines: nobody is promoted, no role goes back to where it is
 * preferred, no fenced application is given up, no checker is obeyed. What people command is done,
 * and whatever keeps data safe goes on: fences, promises, votes that only give something up.
 */

/** In force at this moment; `expire` comes first in every decision. */
export function maintenanceOf(s: NodeState): Maintenance | null {
  const { maintenance } = s.disk;
  return maintenance === null || maintenance.isOver ? null : maintenance;
}

export const isInMaintenance = (s: NodeState): boolean => maintenanceOf(s) !== null;

export const untilText = ({ untilUnixMs, by }: Pick<Maintenance, "untilUnixMs" | "by">): string =>
  `in maintenance until ${utcText(untilUnixMs)}, by ${by}: no automatic action`;

/** By this node's wall clock; null where the shell has not told it. */
export const nowUnix = (s: NodeState, nowMs: BootMs): UnixMs | null =>
  s.unixAheadMs === null ? null : Math.round(nowMs + s.unixAheadMs);

type On = Extract<Command, { kind: "maintenanceOn" }>;
type Off = Extract<Command, { kind: "maintenanceOff" }>;

export function beginMaintenance(s: NodeState, c: On, nowMs: BootMs): NodeState {
  const { id, forMs: askedMs, nowUnixMs, reason } = c;
  if (!(askedMs > 0)) return report(s, "event", "maintenance refused: it must last some time");
  const forMs = Math.min(askedMs, MAINTENANCE_MS_MAX);
  const was = maintenanceOf(s);
  // The peer was told first, and this node heard of it from there: one word, one serial.
  const serial = was?.id === id ? was.serial : nextSerial(s);
  const by = c.by.slice(0, BY_CHARS_MAX);
  const until = { untilUnixMs: nowUnixMs + forMs, untilBootMs: nowMs + forMs };
  const maintenance = { id, serial, by, reason, forMs, ...until, isOver: false };
  const told = patchDisk(s, { maintenance });
  const why = reason === "" ? "" : ` (${reason})`;
  return report(told, "event", `${untilText(maintenance)}${why}`);
}

export function endMaintenance(s: NodeState, c: Off): NodeState {
  const was = maintenanceOf(s);
  if (was === null) return report(s, "event", "maintenance off refused: there is none");
  return end(patchDisk(s, { maintenance: { ...was, serial: nextSerial(s) } }), `${c.by} ended it`);
}

const nextSerial = (s: NodeState): number =>
  1 +
  Math.max(
    s.disk.maintenance?.serial ?? 0,
    ...s.config.peers.map((id) => viewOf(s, id).state?.maintenance?.serial ?? 0),
  );

/** Time is up. Called before every other thought of a decision. */
export function expire(s: NodeState, nowMs: BootMs): NodeState {
  const was = maintenanceOf(s);
  return was === null || nowMs < was.untilBootMs ? s : end(s, "its time is up");
}

/** The peer was told of one, or of its end, while this node was off or out of reach. */
export function learnMaintenance(s: NodeState, peer: PeerState, nowMs: BootMs): NodeState {
  if (peer.maintenance === undefined) return s;
  const was = maintenanceOf(s);
  const maintenance = adopted(s.disk.maintenance, peer.maintenance, nowMs, nowUnix(s, nowMs));
  if (maintenance === s.disk.maintenance || maintenance === null) return s;
  const learned = patchDisk(s, { maintenance: { ...maintenance, isOver: false } });
  if (!maintenance.isOver) {
    return report(learned, "event", `${untilText(maintenance)} (told by ${peer.nodeId})`);
  }
  if (was !== null) return end(learned, `${peer.nodeId} says so`);
  return patchDisk(s, { maintenance });
}

function end(s: NodeState, why: string): NodeState {
  const { maintenance } = s.disk;
  if (maintenance === null) return s;
  const ended = patchDisk(patch(s, { blocker: s.heldBlocker ?? s.blocker, heldBlocker: null }), {
    maintenance: { ...maintenance, isOver: true },
  });
  return report(ended, "event", `maintenance is over: ${why}; automatic actions again`);
}

/** A checker blocks this node, or no longer does. In maintenance a new blocker is only noted. */
export function takeBlocker(s: NodeState, blocker: string | null): NodeState {
  if (blocker === null) return patch(s, { blocker: null, heldBlocker: null });
  if (!isInMaintenance(s) || s.blocker !== null) return patch(s, { blocker });
  const noted = patch(s, { heldBlocker: blocker });
  const isNews = s.heldBlocker !== blocker;
  return isNews
    ? report(noted, "event", `maintenance: would have gone to WAIT: ${blocker}`)
    : noted;
}
