import type { BootMs } from "../../shared/ids.ts";
import { nowUnix } from "./maintenance.ts";
import { type NodeState, patchDisk } from "./state.ts";

/**
 * Notes when this copy left the set by this node's own word. Only then is the moment known here:
 * one that only learns that it is out was away when that happened, and must not guess.
 */
export function noteCopyAge(before: NodeState | null, s: NodeState, nowMs: BootMs): NodeState {
  const { outdated, outdatedSinceMs } = s.disk;
  if (!outdated) return outdatedSinceMs === null ? s : patchDisk(s, { outdatedSinceMs: null });
  const hasPromised = s.voteGiven !== null && s.voteGiven.id !== before?.voteGiven?.id;
  // One that was outdated before it promised is so since an earlier moment.
  const wasComplete = before?.disk.outdated === false;
  if (!hasPromised || !wasComplete) return s;
  return patchDisk(s, { outdatedSinceMs: nowUnix(s, nowMs) });
}
