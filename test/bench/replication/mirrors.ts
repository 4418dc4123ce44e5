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

/** On a machine that is too busy a node may be judged lost, and the other one lead. */
export async function leadAgain(cluster: LabCluster): Promise<void> {
  const { witness } = await cluster.view();
  if (witness?.primary === "node2") {
    await cluster.waitForStates({ node1: "SECOND", node2: "PRIM" }, SETTLED_MS);
    await cluster.command({ kind: "switchover", node: "node1" });
  }
  await settle(cluster);
}

/** Changes when a node falls out of step or another one leads, even if only for a moment. */
export async function stepMark(cluster: LabCluster): Promise<string> {
  const { witness, nodes } = await cluster.view();
  const report = nodes.find(({ nodeId }) => nodeId === "node1")?.report;
  const inSync = witness?.inSync.toSorted().join("+");
  return `epoch ${witness?.epoch}, in sync ${inSync}, node1 ${report?.state} since ${report?.sinceMs}`;
}
