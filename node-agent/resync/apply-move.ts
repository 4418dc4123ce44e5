/** The target's side of a rename that the source remembers. */
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import type { TargetRun } from "./target-run.ts";
import { OPEN_DIRECTORY, splitPath, type Tree } from "./tree.ts";

const RENAME_NOREPLACE = 1;

/**
 * Moves what lies at `from`, if nothing lies at `to`. Only so that it need not be sent: this copy may
 * have moved it already, or `from` may be something else by now. So a failure is none, and both names
 * are compared like all that was touched.
 */
export function applyMove(run: TargetRun, tree: Tree, from: Uint8Array, to: Uint8Array): void {
  const isLocal = [from, to].some((path) => tree.isExcluded(path) || tree.hasExcludedBelow(path));
  if (isLocal) return;
  run.closeContent();
  const [source, destination] = [splitPath(from), splitPath(to)];
  tree.with(source.directory, OPEN_DIRECTORY, (fromFd) => {
    tree.with(destination.directory, OPEN_DIRECTORY, (toFd) => {
      run.changing();
      const [name, newName] = [withNul(source.name), withNul(destination.name)];
      file.renameat2(fromFd, name, toFd, newName, RENAME_NOREPLACE);
    });
  });
}
