import { assertNever } from "../../shared/assert.ts";
import type { BootMs } from "../../shared/ids.ts";
import { lossByOwnWord } from "../possible-loss.ts";
import type { Command } from "../types.ts";
import { heardPeers } from "./facts.ts";
import { firstHandoverStep, heirOf } from "./lead.ts";
import { beginMaintenance, endMaintenance } from "./maintenance.ts";
import { becomeCandidate } from "./promote.ts";
import { type NodeState, patch, patchDisk, report, withRole } from "./state.ts";

const refusal = (what: string, why: string): string => `${what} refused: ${why}`;

/** Was that said to a person whose word changes nothing? */
export const isRefusal = (text: string): boolean => /^[a-z-]+ refused: /.test(text);

/** A person's word. Refusals are reported, with the reason, and change nothing. */
export function command(s: NodeState, c: Command, nowMs: BootMs): NodeState {
  switch (c.kind) {
    case "start":
      // Whoever starts it says too that its disk is worth another try.
      return patchDisk(patch(s, { dataFrom: c.dataFrom ?? s.dataFrom, fault: null }), {
        isStartWanted: true,
      });
    case "stop":
      return patchDisk(patch(s, { dataFrom: null }), { isStartWanted: false });
    case "switchover":
      return switchover(s, nowMs);
    case "forcePrimary":
      return forcePrimary(s, c, nowMs);
    case "maintenanceOn":
      return beginMaintenance(s, c, nowMs);
    case "maintenanceOff":
      return endMaintenance(s, c);
    default:
      return assertNever(c);
  }
}

function switchover(s: NodeState, nowMs: BootMs): NodeState {
  const refuse = (why: string) => report(s, "event", refusal("switchover", why));
  if (s.role.kind !== "leading" || !s.role.hasServed) return refuse("this node is not primary");
  if (s.role.handover !== null) return refuse("one is under way already");
  const to = heirOf(s, s.role, nowMs);
  if (to === null) {
    const none = s.config.peers.join(" nor ");
    return refuse(`${none} is not in sync and ready, so nobody could take over`);
  }
  const { step } = firstHandoverStep(s);
  const handover = { to, goal: "follow", step, sinceMs: nowMs } as const;
  return withRole(s, { ...s.role, handover });
}

function forcePrimary(
  s: NodeState,
  c: Extract<Command, { kind: "forcePrimary" }>,
  nowMs: BootMs,
): NodeState {
  const refuse = (why: string) => report(s, "event", refusal("force-primary", why));
  if (c.seenEpoch !== s.disk.epoch) {
    return refuse(`epoch ${s.disk.epoch} has begun since you looked: look again`);
  }
  const leading = heardPeers(s, nowMs).find((peer) => peer.role === "leading");
  if (leading !== undefined) return refuse(`${leading.nodeId} is primary`);
  switch (s.role.kind) {
    case "waiting":
    case "following":
    case "candidate":
    case "stopped": {
      const { historyId, by, reason, withoutWitness } = c;
      const started = patchDisk(s, { isStartWanted: true, isStoppedCleanly: false });
      const purpose = { kind: "force", historyId, by, reason, withoutWitness } as const;
      // What this node itself knows; the control plane's log says what it knows beside that.
      const { text } = lossByOwnWord(s.config.self, { ...s.disk, historyId: s.disk.copyHistoryId });
      const forced = `${by} forces this node to be primary: ${reason}`;
      const told = report(started, "critical", `${forced}. ${text}`);
      return becomeCandidate(told, purpose, nowMs);
    }
    default:
      return refuse(`this node is ${s.role.kind}: stop it first`);
  }
}
