import { assert } from "../shared/assert.ts";
import type { Exclusion, ReplicatedDirectory, RfsConfig } from "./config.ts";
import { FLOW, NOTREPLICATED, REPLICATED, RFS, TOCHECK } from "./elements/rfs.ts";
import type { TypedElement } from "./typed-element.ts";

/** `<rfs>`, or null. */
export function buildRfs(service: TypedElement): RfsConfig | null {
  const rfs = service.child(RFS);
  if (rfs === null) return null;
  const row = RFS.attributes;
  return {
    replicated: rfs.childrenOf(REPLICATED).map(buildReplicated),
    sync: rfs.read(row.sync),
    async: rfs.read(row.async),
    acl: rfs.read(row.acl),
    mountOverSuffix: rfs.read(row.mountoversuffix),
    mountOver: rfs.read(row.mountover),
    packetSizeBytes: rfs.read(row.packetsize),
    resyncPacketSizeBytes: rfs.read(row.reipacketsize),
    zoneBlockSizeBytes: rfs.read(row.ruzone_blocksize),
    ioTimeoutMs: rfs.read(row.iotimeout),
    lockTimeoutMs: rfs.read(row.locktimeout),
    sendTimeoutMs: rfs.read(row.sendtimeout),
    resyncThreads: rfs.read(row.nbrei),
    resyncTimeoutMs: rfs.read(row.reitimeout),
    resyncCommitPackets: rfs.read(row.reicommit),
    resyncDetail: rfs.read(row.reidetail),
    resyncBandwidthMax: rfs.read(row.reiallowedbw),
    connections: rfs.read(row.nbremconn),
    namespacePolicy: rfs.read(row.namespacepolicy),
    allocationThresholdBytes: rfs.read(row.allocthreshold),
    readOnlyFlags: rfs.read(row.roflags),
    selfTestTimeoutMs: rfs.read(row.checktime),
    selfTestIntervalMs: rfs.read(row.checkintv),
    nfsboxOptions: rfs.read(row.nfsbox_options),
    scripts: rfs.read(row.scripts),
    syncDeltaMs: rfs.read(row.syncdelta),
    syncAt: rfs.read(row.syncat),
    flow: rfs.child(FLOW)?.read(FLOW.attributes.name) ?? null,
  };
}

const buildReplicated = (replicated: TypedElement): ReplicatedDirectory => ({
  dir: replicated.read(REPLICATED.attributes.dir),
  isReadOnlyOnSecondary: replicated.read(REPLICATED.attributes.mode) === "read_only",
  toCheck: replicated.childrenOf(TOCHECK).map((child) => child.read(TOCHECK.attributes.path)),
  notReplicated: replicated.childrenOf(NOTREPLICATED).map(buildExclusion),
});

function buildExclusion(excluded: TypedElement): Exclusion {
  const path = excluded.read(NOTREPLICATED.attributes.path);
  if (path !== null) return { kind: "path", path };
  const written = excluded.read(NOTREPLICATED.attributes.regexpath);
  assert(written !== null, "an exclusion without path and regexpath was refused");
  const isInverted = written.startsWith("!");
  return { kind: "regex", pattern: isInverted ? written.slice(1) : written, isInverted };
}
