import { assert } from "../shared/assert.ts";
import { err, ok, type Result } from "../shared/result.ts";
import type { ClusterConfig, ClusterLan, ClusterNode } from "./config.ts";
import { CLUSTER, CLUSTER_LAN, CLUSTER_NODE, LANS } from "./elements/cluster.ts";
import { Macros } from "./macros.ts";
import { type Problem, ProblemCollector, quote } from "./problem.ts";
import { judgeUnique } from "./semantics/unique.ts";
import { type TypedElement, typeElement } from "./typed-element.ts";
import { given, tag } from "./write/xml-writer.ts";
import { normalizeText, parseXml } from "./xml.ts";

/** A cluster file that can be used, and what its owner should know about it. */
export type ParsedCluster = {
  readonly config: ClusterConfig;
  readonly warnings: readonly Problem[];
};

/** Reads a `cluster.xml`, the import form of a cluster. All errors are reported. */
export function parseClusterXml(
  source: string,
  file = "cluster.xml",
): Result<ParsedCluster, readonly Problem[]> {
  const text = normalizeText(source);
  const problems = new ProblemCollector(file, text);
  const [root, ...others] = parseXml(text, problems);
  if (problems.hasErrors) return err(problems.errors);
  if (root === undefined || root.name !== CLUSTER.name || others.length > 0) {
    problems.error(others[0]?.offset ?? 0, "the file has to be one <cluster>");
    return err(problems.errors);
  }
  const reading = { problems, macros: new Macros(new Map()), isOnNode: true };
  const lans = typeElement(root, CLUSTER, reading).child(LANS);
  if (lans !== null) judgeLans(lans, problems);
  if (problems.hasErrors) return err(problems.errors);
  assert(lans !== null, "a cluster without <lans> was refused");
  return ok({ config: buildCluster(lans), warnings: problems.warnings });
}

/** At least two nodes, one network with all of them, no name or address twice on a network. */
function judgeLans(lans: TypedElement, problems: ProblemCollector): void {
  const { name: lanName, command } = CLUSTER_LAN.attributes;
  const { name, addr } = CLUSTER_NODE.attributes;
  const all = lans.childrenOf(CLUSTER_LAN);
  judgeUnique(all, lanName, problems);
  for (const lan of all) {
    judgeUnique(lan.childrenOf(CLUSTER_NODE), name, problems);
    judgeUnique(lan.childrenOf(CLUSTER_NODE), addr, problems);
  }
  const namesOf = (lan: TypedElement) =>
    new Set(lan.childrenOf(CLUSTER_NODE).map((node) => node.read(name)));
  const everybody = new Set(all.flatMap((lan) => [...namesOf(lan)]));
  if (everybody.size < 2) problems.error(lans.offset, "a cluster needs at least two nodes");
  const complete = all.filter((lan) => namesOf(lan).size === everybody.size);
  if (complete.length === 0) {
    problems.error(lans.offset, "at least one <lan> has to include all nodes");
  }
  const commands = all.filter((lan) => lan.isSound(command) && lan.read(command));
  for (const [index, lan] of commands.entries()) {
    const offset = lan.offsetOf(command);
    if (index > 0) problems.error(offset, "only one <lan> can be the one of commands");
    if (complete.includes(lan)) continue;
    const missing = [...everybody].filter((node) => !namesOf(lan).has(node)).map(quote);
    problems.error(offset, `the <lan> of commands has to include ${missing.join(", ")}`);
  }
}

function buildCluster(lans: TypedElement): ClusterConfig {
  const row = LANS.attributes;
  const all = lans.childrenOf(CLUSTER_LAN);
  const marked = all.find((lan) => lan.read(CLUSTER_LAN.attributes.command)) ?? all[0];
  return {
    port: lans.read(row.port),
    pulseMs: lans.read(row.pulse),
    masterLostCount: lans.read(row.mlost_count),
    slaveLostCount: lans.read(row.slost_count),
    lans: all.map((lan) => ({
      name: lan.read(CLUSTER_LAN.attributes.name),
      isCommand: lan === marked,
      nodes: lan.childrenOf(CLUSTER_NODE).map(buildNode),
    })),
  };
}

const buildNode = (node: TypedElement): ClusterNode => ({
  name: node.read(CLUSTER_NODE.attributes.name),
  addr: node.read(CLUSTER_NODE.attributes.addr),
  localAddr: node.read(CLUSTER_NODE.attributes.laddr),
});

/** The file that `parseClusterXml` reads back as the same config. */
export function writeClusterXml(config: ClusterConfig): string {
  const row = LANS.attributes;
  const attributes = [
    given(row.port, config.port),
    given(row.pulse, config.pulseMs),
    given(row.mlost_count, config.masterLostCount),
    given(row.slost_count, config.slaveLostCount),
  ];
  const lans = config.lans.map((lan, index) => writeLan(lan, index === 0));
  return `${tag(CLUSTER, [], [tag(LANS, attributes, lans)])}\n`;
}

function writeLan(lan: ClusterLan, isFirst: boolean): string {
  const { name, command } = CLUSTER_LAN.attributes;
  const node = CLUSTER_NODE.attributes;
  const nodes = lan.nodes.map((one) =>
    tag(CLUSTER_NODE, [
      given(node.name, one.name),
      given(node.addr, one.addr),
      given(node.laddr, one.localAddr),
    ]),
  );
  // The first network is the one of commands unless another says so.
  return tag(
    CLUSTER_LAN,
    [given(name, lan.name), given(command, lan.isCommand && !isFirst)],
    nodes,
  );
}
