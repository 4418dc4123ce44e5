/** Modules of the bench: each is one replicated directory, with node1 as its primary. */
import { LabCluster, startCluster } from "../../lab/cluster.ts";
import type { Lab } from "../../lab/lab.ts";
import { packModule } from "../../setup/module-archive.ts";

const MODULE = `${import.meta.dirname}/module`;
const SETTLED_MS = 90_000;
const INSTALLED_MS = 30_000;

type Settings = { readonly name: string; readonly folder: string; readonly sync: string };

/** The cluster itself, with its first module. */
export async function startFirstMirror(
  lab: Lab,
  { name, folder, sync }: Settings,
  say: (text: string) => void,
): Promise<LabCluster> {
  const macros = { DATA: folder, SYNC: sync };
  const cluster = await startCluster(lab, { say, module: name, folder: MODULE, macros });
  await settle(cluster);
  return cluster;
}

/** One more module in the same two agents. */
export async function addMirror(lab: Lab, { name, folder, sync }: Settings): Promise<LabCluster> {
  const cluster = await LabCluster.connect(lab, name);
  const archive = await packModule(MODULE, { DATA: folder, SYNC: sync });
  const uploaded = await cluster.people.upload(name, archive);
  if (!uploaded.ok) throw new Error(`upload of ${name}: ${uploaded.status} ${uploaded.text}`);
  await cluster.waitForStates({ node1: "STOP", node2: "STOP" }, INSTALLED_MS);
  await cluster.command({ kind: "start" });
  await settle(cluster);
  return cluster;
}

/** Until both nodes have everything, with node1 leading. */
export async function settle(cluster: LabCluster, limitMs = SETTLED_MS): Promise<void> {
  await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, limitMs);
}
