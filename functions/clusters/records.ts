/**
 * What the control plane keeps, by collection. Clusters are few and small, so a cluster's settings
 * and modules are one record: its version is then the version of the whole configuration, and no
 * reader can see half of a change.
 */
import * as z from "zod/mini";
import { Operation } from "#model/contract/commands.ts";
import { Count, Id, NodeName, Sentence, UnixMs } from "#model/contract/common.ts";
import { ClusterSettings, ModuleEntry } from "#model/contract/configuration.ts";
import { NodeReport } from "#model/contract/report.ts";
import { AddressView } from "#model/contract/snapshot.ts";
import type { RecordStore } from "../ports.ts";
import { Collection } from "./collection.ts";

export const ClusterRecord = z.object({
  settings: ClusterSettings,
  modules: z.array(ModuleEntry),
  /** Rises with every change of anything in here. */
  version: z.int().check(z.positive()),
  createdAtMs: UnixMs,
});
export type ClusterRecord = z.infer<typeof ClusterRecord>;

/** A node's identity, made at its enrolment. */
export const NodeRecord = z.object({
  nodeId: NodeName,
  /** SubjectPublicKeyInfo, DER in base64. */
  publicKey: z.string(),
  enrolledAtMs: UnixMs,
  certificateEndsAtMs: UnixMs,
});
export type NodeRecord = z.infer<typeof NodeRecord>;

/** The latest report of a node; its events are in the log. */
export const ReportRecord = z.object({
  report: z.omit(NodeReport, { events: true }),
  receivedAtMs: UnixMs,
  /** `ours - the node's clock`, and how wrong that may be. */
  offsetMs: z.int(),
  errorMs: Count,
  /** Set once its silence was put into the log, so that it is told once. */
  silenceTold: z.boolean(),
});
export type ReportRecord = z.infer<typeof ReportRecord>;

/** Whether people want a module to run. */
const WantedRecord = z.object({ isWanted: z.boolean(), sinceMs: UnixMs });
type WantedRecord = z.infer<typeof WantedRecord>;

/** An enrolment token, found by the hash of its secret. */
export const TokenRecord = z.object({
  id: Id,
  clusterId: NodeName,
  node: NodeName,
  expiresAtMs: UnixMs,
  usedAtMs: z.nullable(UnixMs),
  madeBy: Sentence,
});
export type TokenRecord = z.infer<typeof TokenRecord>;

/** An operation, and a hash of what was asked so that a repeated key with other words is noticed. */
export const OperationRecord = z.object({ operation: Operation, asked: z.string() });
export type OperationRecord = z.infer<typeof OperationRecord>;

/** Clusters and tokens are looked up across clusters: their partition has this name. */
export const EVERYWHERE = "all";

export interface Collections {
  readonly clusters: Collection<ClusterRecord>;
  readonly nodes: Collection<NodeRecord>;
  readonly reports: Collection<ReportRecord>;
  readonly wanted: Collection<WantedRecord>;
  readonly tokens: Collection<TokenRecord>;
  readonly operations: Collection<OperationRecord>;
  readonly addresses: Collection<AddressView>;
}

/** All collections over one store. */
export const openCollections = (store: RecordStore): Collections => ({
  clusters: new Collection(store, "clusters", ClusterRecord),
  nodes: new Collection(store, "nodes", NodeRecord),
  reports: new Collection(store, "reports", ReportRecord),
  wanted: new Collection(store, "wanted", WantedRecord),
  tokens: new Collection(store, "tokens", TokenRecord),
  operations: new Collection(store, "operations", OperationRecord),
  addresses: new Collection(store, "addresses", AddressView),
});
