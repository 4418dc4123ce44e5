import type { Exclusion, ReplicatedDirectory, RfsConfig } from "../config.ts";
import { FLOW, NOTREPLICATED, REPLICATED, RFS, TOCHECK } from "../elements/rfs.ts";
import { given, tag } from "./xml-writer.ts";

export function writeRfs(rfs: RfsConfig | null): string | null {
  if (rfs === null) return null;
  const row = RFS.attributes;
  const attributes = [
    given(row.sync, rfs.sync),
    given(row.async, rfs.async),
    given(row.acl, rfs.acl),
    given(row.mountoversuffix, rfs.mountOverSuffix),
    given(row.mountover, rfs.mountOver),
    given(row.packetsize, rfs.packetSizeBytes),
    given(row.reipacketsize, rfs.resyncPacketSizeBytes),
    given(row.ruzone_blocksize, rfs.zoneBlockSizeBytes),
    given(row.iotimeout, rfs.ioTimeoutMs),
    given(row.locktimeout, rfs.lockTimeoutMs),
    given(row.sendtimeout, rfs.sendTimeoutMs),
    given(row.nbrei, rfs.resyncThreads),
    given(row.reitimeout, rfs.resyncTimeoutMs),
    given(row.reicommit, rfs.resyncCommitPackets),
    given(row.reidetail, rfs.resyncDetail),
    given(row.reiallowedbw, rfs.resyncBandwidthMax),
    given(row.nbremconn, rfs.connections),
    given(row.namespacepolicy, rfs.namespacePolicy),
    given(row.allocthreshold, rfs.allocationThresholdBytes),
    given(row.roflags, rfs.readOnlyFlags),
    given(row.checktime, rfs.selfTestTimeoutMs),
    given(row.checkintv, rfs.selfTestIntervalMs),
    given(row.nfsbox_options, rfs.nfsboxOptions),
    given(row.scripts, rfs.scripts),
    given(row.syncdelta, rfs.syncDeltaMs),
    given(row.syncat, rfs.syncAt),
  ];
  const flow = rfs.flow === null ? [] : [tag(FLOW, [given(FLOW.attributes.name, rfs.flow)])];
  return tag(RFS, attributes, [...rfs.replicated.map(writeReplicated), ...flow]);
}

function writeReplicated(replicated: ReplicatedDirectory): string {
  const { dir, mode } = REPLICATED.attributes;
  const attributes = [
    given(dir, replicated.dir),
    given(mode, replicated.isReadOnlyOnSecondary ? "read_only" : null),
  ];
  const toCheck = replicated.toCheck.map((path) =>
    tag(TOCHECK, [given(TOCHECK.attributes.path, path)]),
  );
  return tag(REPLICATED, attributes, [...toCheck, ...replicated.notReplicated.map(writeExclusion)]);
}

function writeExclusion(exclusion: Exclusion): string {
  const { path, regexpath } = NOTREPLICATED.attributes;
  if (exclusion.kind === "path") return tag(NOTREPLICATED, [given(path, exclusion.path)]);
  const written = `${exclusion.isInverted ? "!" : ""}${exclusion.pattern}`;
  return tag(NOTREPLICATED, [given(regexpath, written)]);
}
