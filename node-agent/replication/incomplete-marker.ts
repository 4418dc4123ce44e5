/**
 * "This copy is half-written": a file in the module's state directory, there from before a
 * resync's first change until its last byte is on stable storage. What it says survives any crash,
 * because file and directory are synced before it is believed (fsync(2): a new name is durable
 * only with its directory).
 */

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { IncompleteMarker } from "../resync/resync.ts";

const INCOMPLETE = "resync-incomplete";
/** There once this node's copy has been part of the module: nothing is set aside any more. */
const JOINED = "copy-joined";

export function incompleteMarker(stateDirectory: string): IncompleteMarker {
  return markerFile(stateDirectory, INCOMPLETE);
}

/** Whether this copy has ever been a primary's or resynced from one. */
export function joinedMarker(stateDirectory: string): IncompleteMarker {
  return markerFile(stateDirectory, JOINED);
}

function markerFile(stateDirectory: string, name: string): IncompleteMarker {
  const path = join(stateDirectory, name);
  return {
    set: () => {
      if (existsSync(path)) return;
      mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
      const file = openSync(path, "w", 0o600);
      fsyncSync(file);
      closeSync(file);
      syncDirectory(stateDirectory);
    },
    clear: () => {
      if (!existsSync(path)) return;
      rmSync(path);
      syncDirectory(stateDirectory);
    },
    isSet: () => existsSync(path),
  };
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  fsyncSync(directory);
  closeSync(directory);
}
