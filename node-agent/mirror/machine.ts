import { mkdirSync, readdirSync } from "node:fs";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { readCgroupFiles } from "../modules/cgroup.ts";
import type { Containment } from "../modules/containment.ts";
import { openContainment } from "../modules/open-containment.ts";
import { fullWantedMarker, incompleteMarker } from "../replication/incomplete-marker.ts";
import { QuorumStore } from "./quorum-store.ts";
import type { ServiceParts } from "./service.ts";
import { type MachineParts, machineParts } from "./service-parts.ts";
import { syncTrees } from "./sync-trees.ts";

/** What a mirror module finds on the machine that it runs on. */
export interface MirrorMachine {
  openContainment(nodeId: NodeId, moduleId: ModuleId): Containment;
  openStore(path: string, moduleId: ModuleId, nodeId: NodeId): Pick<QuorumStore, "read" | "write">;
  makeFolder(path: string): void;
  /** Looks into the directories themselves; makes those that are not there yet. */
  inspectData(trees: readonly string[]): "empty" | "hasData" | "unknown";
  /** Brings the copies to their disks; false when a disk failed, or nobody can tell. */
  syncData(trees: readonly string[]): Promise<boolean>;
  /** A resync into the copies of the module with that folder began and has not ended. */
  isHalfWritten(folder: string): boolean;
  /** The next resync into those copies compares everything; durable when it returns. */
  wantFullResync(folder: string): void;
  serviceParts(options: MachineParts): ServiceParts;
}

/** `lost+found` is the file system's own. */
const IGNORED = new Set(["lost+found"]);

/** This machine. */
export const thisMachine: MirrorMachine = {
  openContainment: (nodeId, moduleId) => openContainment(readCgroupFiles(), nodeId, moduleId),
  openStore: (path, moduleId, nodeId) => new QuorumStore(path, moduleId, nodeId),
  makeFolder: (path) => {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  },
  inspectData(trees) {
    try {
      let isEmpty = true;
      for (const tree of trees) {
        mkdirSync(tree, { recursive: true });
        if (readdirSync(tree).some((name) => !IGNORED.has(name))) isEmpty = false;
      }
      return isEmpty ? "empty" : "hasData";
    } catch {
      return "unknown";
    }
  },
  syncData: syncTrees,
  isHalfWritten: (folder) => incompleteMarker(folder).isSet(),
  wantFullResync: (folder) => fullWantedMarker(folder).set(),
  serviceParts: machineParts,
};
