/** What can be seen of a node from outside, without asking its agent. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { NodeName } from "../lab/cluster.ts";
import type { Lab } from "../lab/lab.ts";
import { LAB_VIP } from "../lab/lab.ts";
import { readIfThere } from "../lab/read-if-there.ts";
import type { LedgerJudge } from "./ledger-judge.ts";

export const MODULE = "ledger";
const MODULE_VAR = `/srv/mirrorfarm/modules/${MODULE}/log`;
const PROBE_PORT = 9010;

export type NodeFacts = {
  /** The service's address is on the node's interface. */
  readonly hasVip: boolean;
  /** What load balancers are told; 0: nobody answers. */
  readonly probe: number;
  /** The host's numbers of the module's processes, lowest first. */
  readonly processIds: readonly number[];
  /** Those among them that can still run: neither frozen nor held by a file operation. */
  readonly running: readonly number[];
};

const groupOf = (node: NodeName): string => join("mirrorfarm", node, MODULE);

export async function nodeFacts(lab: Lab, judge: LedgerJudge, node: NodeName): Promise<NodeFacts> {
  const [shown, probe] = await Promise.all([
    lab.network.inHost(node, "ip -4 -o addr show dev eth0"),
    judge
      .request(`http://${lab.network.address(node)}:${PROBE_PORT}/var/modules/${MODULE}/ready.txt`)
      .then(({ status }) => status)
      .catch(() => 0),
  ]);
  const processIds = moduleProcesses(lab, node);
  const running = isFrozen(lab, node) ? [] : processIds.filter((id) => !isHeld(id));
  return { hasVip: shown.includes(` ${LAB_VIP}/`), probe, processIds, running };
}

export const moduleProcesses = (lab: Lab, node: NodeName): readonly number[] =>
  [...lab.machine(node).processIds(groupOf(node))].sort((a, b) => a - b);

/**
 * The two that live as long as the application does, as their start script wrote them down; what
 * the ticker starts comes and goes. In the machine they have other numbers (proc(5) NSpid).
 */
export function stableProcesses(lab: Lab, node: NodeName): readonly number[] {
  const noted = new Set(
    ["ledger", "ticker"].map((name) =>
      readIfThere(lab.machine(node).path(`${MODULE_VAR}/${name}.pid`)).trim(),
    ),
  );
  return moduleProcesses(lab, node).filter((id) => {
    const inside = /^NSpid:.*\t(\d+)$/m.exec(readIfThere(`/proc/${id}/status`))?.[1];
    return inside !== undefined && noted.has(inside);
  });
}

/** Every process of the module has stopped (cgroups(7), cgroup.events). */
function isFrozen(lab: Lab, node: NodeName): boolean {
  const events = join(lab.machine(node).cgroup, groupOf(node), "cgroup.events");
  return /^frozen 1$/m.test(readIfThere(events));
}

/**
 * Stopped by the freezer, or inside a file operation that is not answered: a thread of it waits in
 * FUSE. Such a process freezes the moment the operation ends.
 */
function isHeld(processId: number): boolean {
  const threads = directories(`/proc/${processId}/task`);
  const waits = threads.map((id) => readIfThere(`/proc/${processId}/task/${id}/wchan`));
  return (
    waits.every((wait) => /freezer|signal/.test(wait)) ||
    waits.some((w) => /fuse|request_wait/.test(w))
  );
}

function directories(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
