import type { Mutant } from "./mutant.ts";

const NODE = "model/quorum/node";

/** The rules of three data nodes: their exploration must find a story in which each breaks a promise. */
export const THREE_NODES: readonly Mutant[] = [
  {
    id: "T01",
    wrong: "the witness votes beside three data nodes, too, and two of the four are a majority",
    file: "model/quorum/voters.ts",
    find: "export const hasWitnessVote = (nodes: Nodes): boolean => nodes.length % 2 === 0;\n\nexport function majorityOf(nodes: Nodes): number {\n  const voters = nodes.length + (hasWitnessVote(nodes) ? 1 : 0);\n  return Math.floor(voters / 2) + 1;\n}",
    replace:
      "export const hasWitnessVote = (nodes: Nodes): boolean => nodes.length >= 2;\n\nexport function majorityOf(nodes: Nodes): number {\n  const voters = nodes.length + (hasWitnessVote(nodes) ? 1 : 0);\n  return Math.floor((voters + 1) / 2);\n}",
    caughtBy: { explore: "--nodes 3" },
  },
  {
    id: "T02",
    wrong: "half of the voters count as a majority",
    file: "model/quorum/voters.ts",
    find: "  return Math.floor(voters / 2) + 1;",
    replace: "  return Math.floor(voters / 2);",
    caughtBy: { explore: "--nodes 3" },
  },
  {
    id: "T03",
    wrong: "a vote for another node is told and not written down",
    file: `${NODE}/ballot.ts`,
    find: "  const vote = { terms, signature };\n  const voted = patchDisk(patch(still, { pairing: null, attachedEpoch: null }), { pairVote: vote });",
    replace:
      "  const voted = patch(still, { pairing: null, attachedEpoch: null });\n  void [signature, patchDisk];",
    caughtBy: { explore: "--nodes 3" },
  },
  {
    id: "T04",
    wrong: "a node that voted goes on promising to the old primary",
    file: "model/quorum/disk.ts",
    find: "  Math.max(disk.epoch, disk.asked, disk.pairVote?.terms.epoch ?? 0);",
    replace: "  Math.max(disk.epoch, disk.asked);",
    caughtBy: { explore: "--nodes 3" },
  },
  {
    id: "T05",
    wrong: "a write is acknowledged when one of two secondaries has it",
    file: `${NODE}/facts.ts`,
    find: "  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || isRequired(s, id));",
    replace:
      "  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || isRequired(s, id)).slice(0, 1);",
    caughtBy: { explore: "--nodes 3" },
  },
];
