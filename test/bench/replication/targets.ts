/** What is measured beside each other. Data; what makes a target ready is in bench-lab.ts. */

export type NodeName = "node1" | "node2";
export type TargetName = "native" | "dual" | "write" | "fsync" | "glusterfs" | "floor";

export type Target = {
  readonly name: TargetName;
  /** One line for `--help` and the documents. */
  readonly says: string;
  /** Where its workloads put their files, in the machines that run them. */
  readonly folder: string;
  /** The machines in which a workload runs at the same time; the worst of them counts. */
  readonly nodes: readonly NodeName[];
};

export const TARGETS: Readonly<Record<TargetName, Target>> = {
  native: {
    name: "native",
    says: "ext4 of node1's disk, nothing in between",
    folder: "/srv/native",
    nodes: ["node1"],
  },
  dual: {
    name: "dual",
    says: "the same on node1's and node2's ext4 at the same time; the slower one counts",
    folder: "/srv/dual",
    nodes: ["node1", "node2"],
  },
  write: {
    name: "write",
    says: 'our mount, sync="write": every write is on both nodes when it returns',
    folder: "/srv/write",
    nodes: ["node1"],
  },
  fsync: {
    name: "fsync",
    says: 'our mount, sync="fsync": only fsync waits for both',
    folder: "/srv/fsync",
    nodes: ["node1"],
  },
  glusterfs: {
    name: "glusterfs",
    says: "GlusterFS, replica 2, its FUSE client in node1 (--peer glusterfs)",
    folder: "/run/bench/glusterfs",
    nodes: ["node1"],
  },
  floor: {
    name: "floor",
    says: "one trip through our FUSE server, without a peer, plus one round trip of TCP",
    folder: "/srv/floor",
    nodes: ["node1"],
  },
};
