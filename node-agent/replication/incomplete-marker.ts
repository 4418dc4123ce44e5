/**
 * "This copy is half-written": a file in the module's state directory, there from before a
 * resync's first change until its last byte is on stable storage. What it says survives any crash,
 * because it is believed only once file and directory have been synced.
 */

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory, writeFileDurably } from "../adapters/atomic-file.ts";
import type { IncompleteMarker } from "../resync/resync.ts";

const INCOMPLETE = "resync-incomplete";
/** A person asked to compare everything at the next resync into this copy. */
const FULL_WANTED = "resync-full-wanted";
/** There once this node's copy is part of the module and its history: nothing is set aside then. */
const JOINED = "copy-joined";

export function incompleteMarker(stateDirectory: string): IncompleteMarker {
  return markerFile(stateDirectory, INCOMPLETE);
}

export function fullWantedMarker(stateDirectory: string): IncompleteMarker {
  return markerFile(stateDirectory, FULL_WANTED);
}

/** Whether this copy is a primary's or was resynced from one, and nobody gave its history up since. */
export function joinedMarker(stateDirectory: string): IncompleteMarker {
  return markerFile(stateDirectory, JOINED);
}

function markerFile(stateDirectory: string, name: string): IncompleteMarker {
  const path = join(stateDirectory, name);
  return {
    set: () => {
      if (existsSync(path)) return;
      mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
      writeFileDurably(path, "");
    },
    clear: () => {
      if (!existsSync(path)) return;
      rmSync(path);
      syncDirectory(stateDirectory);
    },
    isSet: () => existsSync(path),
  };
}
