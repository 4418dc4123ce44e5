/**
 * What programs may expect of a directory: each case makes calls in a fresh folder and returns
 * what it saw. The same cases run in a plain directory and through the mount, and must see the
 * same. They take nothing for granted, so that the plain file system itself is the specification.
 */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setxattr } from "../../node-agent/adapters/linux/file.ts";
import { c } from "./case-tools.ts";
import { ATTRIBUTE_CASES } from "./cases-attributes.ts";
import { DATA_CASES } from "./cases-data.ts";
import { NAME_CASES } from "./cases-names.ts";
import { USER_CASES } from "./cases-user.ts";

export type Case = readonly [name: string, run: () => unknown];

const NOBODY = 65_534;
const FOREIGN_GROUP = 4321;

export const ROOT_CASES: readonly Case[] = [...NAME_CASES, ...DATA_CASES, ...ATTRIBUTE_CASES];
export const ALL_CASES: readonly Case[] = [...ROOT_CASES, ...USER_CASES];

/** Runs every case below `directory`; what each saw, by name. Changes this process's user. */
export function runCases(directory: string): Record<string, unknown> {
  const seen: Record<string, unknown> = {};
  process.umask(0o022);
  const folders = ALL_CASES.map((_, at) => path.join(directory, `case-${at}`));
  prepareForUser(directory);
  ALL_CASES.forEach(([name, run], at) => {
    const folder = folders[at] ?? directory;
    if (at < ROOT_CASES.length) mkdirSync(folder);
    if (at === ROOT_CASES.length) becomeNobody();
    process.chdir(at < ROOT_CASES.length ? folder : makeOwn(directory, at));
    seen[name] = run();
  });
  process.chdir("/");
  return seen;
}

function makeOwn(directory: string, at: number): string {
  const folder = path.join(directory, "user", `case-${at}`);
  mkdirSync(folder);
  return folder;
}

function prepareForUser(directory: string): void {
  const user = path.join(directory, "user");
  mkdirSync(user);
  chownSync(user, NOBODY, NOBODY);
  writeFileSync(path.join(user, "readable"), "r");
  chmodSync(path.join(user, "readable"), 0o644);
  mkdirSync(path.join(user, "root-only"), 0o700);
  writeFileSync(path.join(user, "root-only", "secret"), "s");
  mkdirSync(path.join(user, "grouped"));
  chownSync(path.join(user, "grouped"), 0, FOREIGN_GROUP);
  chmodSync(path.join(user, "grouped"), 0o2777);
  mkdirSync(path.join(user, "sticky"));
  chmodSync(path.join(user, "sticky"), 0o1777);
  writeFileSync(path.join(user, "sticky", "roots"), "");
  writeFileSync(path.join(user, "by-acl"), "let in", { mode: 0o600 });
  const acl = new Uint8Array([
    ...[2, 0, 0, 0],
    ...[1, 0, 6, 0, 255, 255, 255, 255],
    ...[2, 0, 4, 0, 254, 255, 0, 0],
    ...[4, 0, 0, 0, 255, 255, 255, 255],
    ...[16, 0, 4, 0, 255, 255, 255, 255],
    ...[32, 0, 0, 0, 255, 255, 255, 255],
  ]);
  setxattr(c(path.join(user, "by-acl")), c("system.posix_acl_access"), acl, acl.length, 0);
}

function becomeNobody(): void {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
