import type { MirrorConfig } from "#model/module/config.ts";

/** The module of the simulated world: one replicated directory, one watched process. */
export const moduleConfig = (
  defaultPrimary: "alone" | "a" | "b",
  sync: "write" | "fsync",
): MirrorConfig => ({
  mode: "mirror",
  heart: { port: null, pulseMs: null, timeoutMs: null, permanentArp: true, heartbeats: [] },
  rfs: {
    replicated: [{ dir: "/data", isReadOnlyOnSecondary: true, toCheck: [], notReplicated: [] }],
    ...{ sync, async: "second", acl: false, mountOverSuffix: "", mountOver: null },
    ...{ packetSizeBytes: null, resyncPacketSizeBytes: 1, zoneBlockSizeBytes: null },
    ...{ ioTimeoutMs: 1, lockTimeoutMs: 1, sendTimeoutMs: 1, resyncThreads: 1 },
    ...{ resyncTimeoutMs: 1, resyncCommitPackets: 1, resyncDetail: false },
    ...{ resyncBandwidthMax: null, connections: 1, namespacePolicy: "1" },
    ...{ allocationThresholdBytes: 1, readOnlyFlags: 0, selfTestTimeoutMs: 1 },
    ...{ selfTestIntervalMs: 1, nfsboxOptions: "nocross", scripts: false, syncDeltaMs: 1 },
    ...{ syncAt: null, flow: null },
  },
  service: {
    boot: "auto",
    bootDelayMs: 0,
    failover: true,
    defaultPrim:
      defaultPrimary === "alone" ? { kind: "alone" } : { kind: "node", node: defaultPrimary },
    maxLoop: 3,
    loopIntervalMs: 11_000,
    automaticReboot: false,
  },
  vip: null,
  user: {
    ...{ niceStopTimeoutMs: 10_000, forceStopTimeoutMs: 10_000, logging: "none" },
    userlogSizeBytes: 1,
    // A secret that must never be shown to anybody (checkers/s12-secrets.ts).
    vars: [{ name: "DATABASE_PASSWORD", value: "CANARY-password" }],
  },
  vhost: null,
  errd: {
    pollMs: 1000,
    procs: [
      {
        ...{ name: "app", isService: false, nameRegex: null, argRegex: null, atLeast: 1 },
        ...{ atMost: -1, class: "prim", action: { kind: "restart" }, restartServices: null },
        startAfter: 0,
      },
    ],
  },
  checks: [],
  // As often as the period of a world at rest allows (world.ts).
  failover: {
    extendsDefaults: true,
    periodMs: 600,
    handleTimeMs: 0,
    rules: [],
    text: "",
    hasLua: false,
  },
  macros: [],
});
