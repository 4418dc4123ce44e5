import type { ModuleId } from "../shared/ids.ts";
import type { ClusterConfig, ModuleConfig } from "./config.ts";
import { isInside } from "./directory.ts";
import { didYouMean, quote } from "./problem.ts";

/** A module of a cluster. */
export type NamedModule = { readonly id: ModuleId; readonly config: ModuleConfig };

/** Why a module cannot run in this cluster: networks and nodes that it names and nobody has. */
export function misfitsOfCluster(config: ModuleConfig, cluster: ClusterConfig): readonly string[] {
  const lans = cluster.lans.map(({ name }) => name);
  const nodes = [...new Set(cluster.lans.flatMap((lan) => lan.nodes.map(({ name }) => name)))];
  const misfits: string[] = [];
  const expect = (name: string, known: readonly string[], what: string) => {
    if (known.includes(name)) return;
    misfits.push(`the cluster has no ${what} ${quote(name)}${didYouMean(name, known)}`);
  };
  if (config.mode === "mirror") {
    for (const { lan } of config.heart.heartbeats) if (lan !== null) expect(lan, lans, "network");
  }
  if (config.mode === "farm") {
    for (const { name } of config.farm.lans) expect(name, lans, "network");
  }
  const { defaultPrim } = config.service;
  if (defaultPrim.kind === "node") expect(defaultPrim.node, nodes, "node");
  return misfits;
}

/**
 * Why a module cannot run beside others: a directory that another one replicates, or lies in one
 * or around one, and a virtual address that another one has. The module itself, by its id, is no
 * other: it may replace its own earlier version.
 */
export function conflictsWith(
  { id, config }: NamedModule,
  others: readonly NamedModule[],
): readonly string[] {
  const conflicts: string[] = [];
  for (const other of others) {
    if (other.id === id) continue;
    for (const dir of directoriesOf(config)) {
      for (const theirs of directoriesOf(other.config)) {
        if (!isInside(dir, theirs) && !isInside(theirs, dir)) continue;
        const overlap = dir === theirs ? "" : ` (as ${quote(theirs)})`;
        conflicts.push(`module ${other.id} replicates ${quote(dir)}${overlap} already`);
      }
    }
    for (const addr of addressesOf(config)) {
      if (!addressesOf(other.config).includes(addr)) continue;
      conflicts.push(`module ${other.id} has the virtual address ${quote(addr)} already`);
    }
  }
  return conflicts;
}

const directoriesOf = (config: ModuleConfig): readonly string[] =>
  config.mode === "mirror" ? (config.rfs?.replicated ?? []).map(({ dir }) => dir) : [];

const addressesOf = ({ vip }: ModuleConfig): readonly string[] =>
  (vip?.interfaces ?? []).flatMap(({ addresses }) => addresses.map(({ addr }) => addr));
