/** What people do: start, stop, switch over, force. */
import type { Command } from "#model/quorum/types.ts";
import type { FaultKind } from "../budgets.ts";
import type { Carrier } from "../carrier.ts";
import type { LiveNode } from "../explored-node.ts";
import type { Id } from "../explored-world.ts";
import type { Offer } from "./move.ts";

const IDLE: readonly string[] = ["waiting", "following", "candidate", "stopped"];

export function people(c: Carrier, id: Id, node: LiveNode, offer: Offer): void {
  const { role, disk } = node.state;
  const says = (key: string, command: Command, fault: FaultKind | null) =>
    offer(`a person says ${key} to ${id}`, fault, (from) =>
      c.carry(from, id, key, () => ({ kind: "commanded", command })),
    );
  if (!disk.isStartWanted) {
    says("start", { kind: "start", dataFrom: null }, null);
  } else {
    says("stop", { kind: "stop" }, "orders");
    if (role.kind === "leading" && role.hasServed && role.handover === null) {
      says("switch over", { kind: "switchover" }, "orders");
    }
  }
  if (!IDLE.includes(role.kind)) return;
  const seenEpoch = disk.epoch;
  const words = { seenEpoch, historyId: `forced-${id}`, by: "ann", reason: "lost" };
  const force = { kind: "forcePrimary", ...words } as const;
  says("force", { ...force, withoutWitness: false }, "forces");
  says("force without the witness", { ...force, withoutWitness: true }, "forces");
}
