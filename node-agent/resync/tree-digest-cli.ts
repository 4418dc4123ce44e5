/**
 * `node node-agent/resync/tree-digest-cli.ts DIR [DIR]`: the digest of one directory, or every
 * difference between two. Exit 0: identical; 1: different; 2: could not tell.
 */

import { errnoName } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { cString } from "../adapters/linux/library.ts";
import { FileFailure, OPEN_DIRECTORY, showPath, Tree } from "./tree.ts";
import { differencesOf, digestOf } from "./tree-digest.ts";

const SHOWN_MAX = 1000;

function openTree(index: number, path: string): Tree {
  const rootFd = file.openat(file.AT_FDCWD, cString(path), OPEN_DIRECTORY & ~file.O_NOFOLLOW, 0);
  if (rootFd < 0) throw new Error(`${path}: ${errnoName(rootFd)}`);
  return new Tree(index, { rootFd, exclusions: [] });
}

function run(paths: readonly string[]): number {
  const [first, second] = paths;
  if (first === undefined || paths.length > 2) {
    process.stderr.write("usage: tree-digest-cli.ts DIR [DIR]\n");
    return 2;
  }
  const tree = openTree(0, first);
  if (second === undefined) {
    process.stdout.write(`${JSON.stringify(digestOf(tree))}\n`);
    return 0;
  }
  let count = 0;
  for (const { kind, path, detail } of differencesOf(tree, openTree(1, second))) {
    count += 1;
    if (count <= SHOWN_MAX) process.stdout.write(`${kind} /${showPath(path)} ${detail}\n`);
  }
  process.stdout.write(count === 0 ? "identical\n" : `${count} differences\n`);
  return count === 0 ? 0 : 1;
}

try {
  process.exitCode = run(process.argv.slice(2));
} catch (thrown) {
  const where = thrown instanceof FileFailure ? ` /${showPath(thrown.place.path)}` : "";
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}${where}\n`);
  process.exitCode = 2;
}
