/**
 * Clusters to look at: one two-node mirror in every condition that the console must show. The same
 * every time (fixed moments, no chance), and health and its sentence come from model/states, so a
 * page is tested with the words that the control plane would send.
 */
import type { EventRecord } from "#model/contract/events.ts";
import type {
  MaintenanceFacts,
  ModuleReport,
  ReplicationTraffic,
  ResyncProgress,
} from "#model/contract/report.ts";
import type {
  ClusterSnapshot,
  ModuleOnNode,
  ModuleView,
  NodeView,
} from "#model/contract/snapshot.ts";
import { possibleLoss } from "#model/quorum/possible-loss.ts";
import { moduleHealth } from "#model/states/module-health.ts";

export const SCENARIOS = [
  "empty",
  "first-start",
  "normal",
  "unprotected",
  "recovering",
  "failing-over",
  "down",
  "stopped",
  "maintenance",
  "hostile",
] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** The moment at which all scenarios are: 23 November 2026, 12:00 UTC. */
export const NOW_MS = Date.UTC(2026, 10, 23, 12);
export const CLUSTER = "prod";
export const STORE = "store_fake";

/** Markup and worse, where a page might mistake text for it. */
export const HOSTILE_TEXT = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

interface Side {
  readonly state: ModuleReport["state"] | null;
  readonly readiness?: ModuleReport["readiness"];
  readonly why?: string;
  readonly silent?: boolean;
  readonly fenced?: boolean;
  readonly attached?: boolean;
  readonly resync?: ResyncProgress;
}
interface Condition {
  readonly first: Side;
  readonly second: Side;
  readonly inSync: readonly string[];
  readonly epoch: number;
  readonly primary: string | null;
  readonly isWanted?: boolean;
  readonly isTakeoverUnderWay?: boolean;
  readonly hasFailedOver?: boolean;
  /** When the witness recorded a set without the second node. */
  readonly leftAtMs?: number;
  readonly maintenance?: MaintenanceFacts;
}

const RESYNC: ResyncProgress = {
  kind: "full",
  phase: "copying",
  doneBytes: 63 * 1024 * 1024,
  totalBytes: 100 * 1024 * 1024,
  bytesPerSecond: 118 * 1024,
};

const CONDITIONS: Readonly<Record<Exclude<Scenario, "empty">, Condition>> = {
  "first-start": {
    first: {
      state: "WAIT",
      readiness: "NotReady",
      why: "it has never run: say whose data is good",
    },
    second: {
      state: "WAIT",
      readiness: "NotReady",
      why: "it has never run: say whose data is good",
    },
    inSync: [],
    epoch: 0,
    primary: null,
  },
  normal: {
    first: { state: "PRIM", attached: true },
    second: { state: "SECOND", attached: true },
    inSync: ["node1", "node2"],
    epoch: 41,
    primary: "node1",
    hasFailedOver: true,
  },
  unprotected: {
    first: { state: "ALONE", why: "its peer is stopped" },
    second: { state: "STOP", readiness: "NotReady", why: "a person stopped it" },
    inSync: ["node1"],
    epoch: 41,
    primary: "node1",
  },
  recovering: {
    first: { state: "ALONE", attached: true },
    second: { state: "SECOND", readiness: "Transient", attached: true, resync: RESYNC },
    inSync: ["node1"],
    epoch: 42,
    primary: "node1",
    hasFailedOver: true,
  },
  "failing-over": {
    first: { state: "PRIM", silent: true },
    second: { state: "ALONE", readiness: "Transient", why: "it runs start_prim" },
    inSync: ["node2"],
    epoch: 42,
    primary: "node2",
  },
  down: {
    first: { state: "PRIM", silent: true },
    second: {
      state: "WAIT",
      readiness: "NotReady",
      why: "it may lack acknowledged writes: the in-sync set is {node1}",
    },
    inSync: ["node1"],
    epoch: 41,
    primary: "node1",
    leftAtMs: NOW_MS - 180_000,
  },
  maintenance: {
    first: { state: "PRIM", attached: true },
    second: { state: "SECOND", attached: true },
    inSync: ["node1", "node2"],
    epoch: 41,
    primary: "node1",
    maintenance: { untilMs: NOW_MS + 4_800_000, by: "person:ann", reason: "new memory" },
  },
  stopped: {
    first: { state: "STOP", readiness: "NotReady" },
    second: { state: "STOP", readiness: "NotReady" },
    inSync: ["node1", "node2"],
    epoch: 41,
    primary: null,
    isWanted: false,
  },
  hostile: {
    first: { state: "ALONE", why: HOSTILE_TEXT },
    second: { state: "WAIT", readiness: "NotReady", why: HOSTILE_TEXT },
    inSync: ["node1"],
    epoch: 41,
    primary: "node1",
  },
};

const TRAFFIC: ReplicationTraffic = {
  ...{ intervalMs: 2_000, operationsPerSecond: 1_240.5, bytesPerSecond: 5_081_088 },
  acknowledgement: {
    ...{ count: 2_481, medianMs: 0.125, p99Ms: 1 },
    buckets: [
      { upToMs: 0.125, count: 1_730 },
      { upToMs: 0.25, count: 648 },
      { upToMs: 1, count: 100 },
      { upToMs: 16, count: 3 },
    ],
  },
};

function reportOf(side: Side, condition: Condition, isFirst: boolean): ModuleReport | null {
  if (side.state === null) return null;
  const leads = side.state === "PRIM" || side.state === "ALONE";
  return {
    moduleId: "shop",
    mode: "mirror",
    state: side.state,
    readiness: side.readiness ?? "Ready",
    why: side.why ?? "",
    sinceMs: NOW_MS - 3 * 3_600_000,
    quorum: {
      epoch: condition.epoch,
      primary: condition.primary,
      inSync: [...condition.inSync],
      outdated: false,
      grant: leads ? { voters: [isFirst ? "node2" : "node1"], remainingMs: 1_400 } : null,
      fenced: side.fenced ?? false,
    },
    replication: {
      attached: side.attached ?? false,
      lagMs: side.attached === true ? 3 : 0,
      backlogBytes: side.attached === true && leads ? 8_192 : 0,
      traffic: side.attached === true && leads ? TRAFFIC : null,
      attachedSinceMs: side.attached === true ? NOW_MS - 3 * 3_600_000 : null,
      resync: side.resync ?? null,
      trees: ["/srv/shop"],
    },
    vips: [
      {
        address: "10.0.0.50",
        interface: leads ? "eth0" : null,
        present: leads && side.readiness !== "Transient",
        epoch: condition.epoch,
      },
    ],
    resources: [{ name: "tcp.shop", value: leads ? "up" : "unknown", sinceMs: NOW_MS - 60_000 }],
    configurationVersion: 1,
  };
}

const COPY_AS_RECORDED = { outdated: false, isUnclean: false, outdatedSinceMs: null };

function onNode(nodeId: string, side: Side, condition: Condition): ModuleOnNode {
  const silent = side.silent ?? false;
  return {
    nodeId,
    report: reportOf(side, condition, nodeId === "node1"),
    receivedAtMs: NOW_MS - (silent ? 42_000 : 400),
    silent,
    possibleLoss: possibleLoss({
      node: nodeId,
      record: {
        inSync: condition.inSync,
        historyId: "h",
        leftAtMs: nodeId === "node2" ? (condition.leftAtMs ?? null) : null,
      },
      own: { epoch: condition.epoch, historyId: "h", ...COPY_AS_RECORDED },
      alone: [{ nodeId: "node1", changes: 214, bytes: 3_145_728, asOfMs: NOW_MS - 42_000 }].filter(
        () => nodeId === "node2" && condition.leftAtMs !== undefined,
      ),
    }),
  };
}

function moduleOf(condition: Condition, nowText: string): ModuleView {
  const nodes = [
    onNode("node1", condition.first, condition),
    onNode("node2", condition.second, condition),
  ];
  const { health, why } = moduleHealth({
    kind: "mirror",
    inSync: condition.inSync,
    primary: condition.primary,
    isWanted: condition.isWanted ?? true,
    isTakeoverUnderWay: condition.isTakeoverUnderWay ?? false,
    nodes: nodes.map(({ nodeId, report, silent }) => ({
      nodeId,
      state: report?.state ?? "STOP",
      status: report?.readiness ?? "NotReady",
      isFenced: report?.quorum?.fenced ?? false,
      isReachable: report !== null && !silent,
      resyncPercent: report?.replication?.resync === null ? null : 63,
      reason: report?.why ?? "",
    })),
  });
  const { epoch, primary } = condition;
  return {
    part: "module",
    revision: 10,
    id: "shop",
    configuration: {
      id: "shop",
      mode: "mirror",
      version: 1,
      sha256: "a".repeat(64),
      bytes: 4_096,
      nodes: ["node1", "node2"],
      uploadedAtMs: NOW_MS - 86_400_000,
      uploadedBy: nowText,
    },
    health,
    why,
    sinceMs: NOW_MS - 42_000,
    witness: {
      epoch,
      primary,
      inSync: [...condition.inSync],
      grant: primary === null ? null : { holder: primary, epoch, expiresAtMs: NOW_MS + 6_000 },
    },
    address: {
      driver: "arp",
      address: "10.0.0.50",
      wantedNode: primary,
      epoch,
      state: health === "Protected" || health === "Recovering" ? "confirmed" : "requested",
      text: "",
      sinceMs: NOW_MS - 42_000,
    },
    nodes,
    maintenance: condition.maintenance ?? null,
    lastFailover:
      condition.hasFailedOver === true
        ? {
            id: "shop-41",
            module: "shop",
            kind: "failover",
            fromNode: "node2",
            toNode: "node1",
            epochBefore: 40,
            epochAfter: 41,
            startedAtMs: NOW_MS - 600_000,
            serviceDownMs: 2_140,
          }
        : null,
  };
}

function nodeView(id: string, silent: boolean, isEnrolled: boolean): NodeView {
  const peer = id === "node1" ? "node2" : "node1";
  return {
    part: "node",
    revision: 2,
    id,
    addresses: { default: id === "node1" ? "10.0.0.11" : "10.0.0.12" },
    enrolled: isEnrolled,
    certificateEndsAtMs: isEnrolled ? NOW_MS + 6 * 86_400_000 : null,
    agentVersion: isEnrolled ? "0.1.0" : null,
    bootId: isEnrolled ? "boot-1" : null,
    instanceId: isEnrolled ? "instance-1" : null,
    lastReportAtMs: isEnrolled ? NOW_MS - (silent ? 42_000 : 400) : null,
    silent: silent || !isEnrolled,
    clockOffsetMs: isEnrolled ? 2 : null,
    links: isEnrolled
      ? [{ peer, network: "default", up: !silent, roundTripMs: 0.4, lossRatio: 0, lastHeardMs: 80 }]
      : [],
    warnings: [],
  };
}

type Told = readonly [
  beforeMs: number,
  kind: string,
  severity: EventRecord["severity"],
  text: string,
];
const TOLD: readonly Told[] = [
  [86_400_000, "configurationChanged", "U", "shop version 1 was uploaded"],
  [86_390_000, "nodeEnrolled", "I", "node1 joined the cluster"],
  [86_380_000, "nodeEnrolled", "I", "node2 joined the cluster"],
  [600_000, "peerLost", "C", "node2 is judged lost: no heartbeat for 2.0 s"],
  [599_900, "epochChanged", "S", "epoch 41 begins: node1 leads"],
  [597_860, "serviceUp", "I", "tcp.shop answers on node1"],
  [500_000, "resyncStarted", "I", "node2 compares with node1"],
  [480_000, "resyncFinished", "I", "node2 holds every acknowledged write"],
  [42_000, "stateChanged", "S", "node1 is PRIM"],
  [41_000, "resourceChanged", "E", "tcp.shop was down for 0.4 s"],
];

/** The events that all scenarios begin with. */
export function eventsOf(scenario: Scenario): readonly EventRecord[] {
  if (scenario === "empty") return [];
  const told: readonly Told[] =
    scenario === "hostile" ? [...TOLD, [1_000, "serviceDown", "C", HOSTILE_TEXT]] : TOLD;
  return told.map(([beforeMs, kind, severity, text], index) => ({
    seq: index + 1,
    atMs: NOW_MS - beforeMs,
    offsetErrMs: 2,
    clusterId: CLUSTER,
    moduleId: "shop",
    nodeId: "node1",
    kind,
    severity,
    text,
    actor: severity === "U" ? "person:ann" : "node:node1",
  }));
}

/** A whole cluster in one condition. */
export function snapshotOf(scenario: Scenario): ClusterSnapshot {
  const condition = scenario === "empty" ? null : CONDITIONS[scenario];
  const events = eventsOf(scenario);
  const isSilent = (side: Side | undefined) => side?.silent ?? false;
  const nodes = [
    nodeView("node1", isSilent(condition?.first), condition !== null),
    nodeView("node2", isSilent(condition?.second), condition !== null),
  ];
  return {
    clusterId: CLUSTER,
    storeId: STORE,
    serverTimeMs: NOW_MS,
    lastSeq: events.length,
    revision: 10,
    cluster: {
      part: "cluster",
      revision: 1,
      version: 3,
      settings: {
        id: CLUSTER,
        networks: ["default"],
        nodes: nodes.map(({ id, addresses }) => ({ id, addresses })),
        timers: "default",
        addressDriver: "arp",
      },
    },
    nodes,
    modules:
      condition === null
        ? []
        : [moduleOf(condition, scenario === "hostile" ? HOSTILE_TEXT.slice(0, 80) : "person:ann")],
    operations: [],
    events: [...events],
  };
}
