/**
 * The address sits on the primary's own interface. The agent puts it there the moment it leads and
 * tells the neighbours by gratuitous ARP (RFC 5227 section 3), and takes it off when fenced; that
 * path needs no control plane. This driver only watches through the nodes' reports, and asks a node
 * to correct itself when what they say has not agreed for a while.
 */
import type { ModuleReport, VipFacts } from "#model/contract/report.ts";
import type { ControlPlane } from "../../clusters/control-plane.ts";
import { createOperation } from "../../clusters/operations.ts";
import { isSilent } from "../../clusters/reports.ts";
import type {
  AddressDriver,
  AddressWant,
  Observation,
  Step,
} from "../../reconciler/address-driver.ts";

interface Seen {
  readonly nodeId: string;
  readonly report: ModuleReport;
  readonly receivedAtMs: number;
  /** Since when it is in its state, on our clock. */
  readonly sinceMs: number;
}
/** A report may have been on its way, and clocks are measured, not known. */
const MARGIN_MS = 2_000;

/** The driver over the reports of a control plane. */
export const arpDriver = (cp: ControlPlane): AddressDriver => ({
  kind: "arp",
  async observe(want) {
    return judge(want, await freshReports(cp, want));
  },
  async step(want) {
    return await askNode(cp, want, await freshReports(cp, want));
  },
});

async function freshReports(cp: ControlPlane, want: AddressWant): Promise<readonly Seen[]> {
  const nowMs = cp.clock.nowMs();
  const seen: Seen[] = [];
  for (const nodeId of want.nodes) {
    const record = await cp.reports.read(want.clusterId, nodeId);
    const report = record?.value.report.modules.find((one) => one.moduleId === want.moduleId);
    if (record === null || report === undefined) continue;
    const { receivedAtMs, offsetMs } = record.value;
    const sinceMs = report.sinceMs + offsetMs;
    if (!isSilent(receivedAtMs, nowMs)) seen.push({ nodeId, report, receivedAtMs, sinceMs });
  }
  return seen;
}

const present = ({ report }: Seen): readonly VipFacts[] => report.vips.filter((vip) => vip.present);

/** Pure: what fresh reports say about the address. */
function judge(want: AddressWant, seen: readonly Seen[]): Observation {
  const primary = seen.find((one) => one.nodeId === want.nodeId);
  const address = seen.flatMap(({ report }) => report.vips)[0]?.address ?? null;
  if (primary === undefined) {
    return { kind: "unknown", address, text: `${want.nodeId} has not reported lately` };
  }
  if (primary.report.vips.length === 0) {
    return { kind: "agrees", address: null, text: "the module has no address" };
  }
  // Until the primary leads under the epoch it was given, its report tells of the time before.
  const { quorum, state, readiness } = primary.report;
  const leads = (state === "PRIM" || state === "ALONE") && readiness === "Ready";
  if (!leads || (quorum !== null && quorum.epoch < want.epoch)) {
    return { kind: "unknown", address, text: `${want.nodeId} does not lead yet` };
  }
  if (quorum?.fenced === true) {
    return { kind: "unknown", address, text: `${want.nodeId} is fenced` };
  }
  if (present(primary).length < primary.report.vips.length) {
    return { kind: "differs", address, text: `${want.nodeId} lacks the address` };
  }
  const stray = strayHolder(primary, seen);
  if (stray !== undefined) {
    return { kind: "differs", address, text: `${stray.nodeId} still has the address` };
  }
  return { kind: "agrees", address, text: `the address is on ${want.nodeId}` };
}

/** Who else has it. The last words of a node that died before the primary led do not count. */
const strayHolder = (primary: Seen, seen: readonly Seen[]): Seen | undefined =>
  seen.find(
    (one) =>
      one.nodeId !== primary.nodeId &&
      present(one).length > 0 &&
      one.receivedAtMs > primary.sinceMs + MARGIN_MS,
  );

async function askNode(cp: ControlPlane, want: AddressWant, seen: readonly Seen[]): Promise<Step> {
  const primary = seen.find((one) => one.nodeId === want.nodeId);
  const stray = primary === undefined ? undefined : strayHolder(primary, seen);
  const kind = stray === undefined ? "announce-address" : "withdraw-address";
  const nodeId = stray?.nodeId ?? want.nodeId;
  // One request per epoch, node and half minute: a repeat within it finds the same operation.
  const period = Math.floor(cp.clock.nowMs() / 30_000);
  const id = `op_${kind}-${want.moduleId}-${nodeId}-${want.epoch}-${period}`.replaceAll(".", "-");
  const made = await createOperation(cp, want.clusterId, id.slice(0, 70), id, {
    moduleId: want.moduleId,
    kind,
    actor: "control-plane",
    node: want.nodeId,
    epoch: want.epoch,
    phases: [[nodeId]],
  });
  const text = made.ok ? `asked ${nodeId} to ${kind.replace("-", " the ")}` : made.error.message;
  // The node's next report is the proof; until then this is only asked.
  return { kind: "retry", text };
}
