/**
 * What a cluster should run: stored once, versioned, pulled by the nodes. The cluster's own version
 * rises with every change of anything in it, modules included, so one number tells a node whether
 * it is up to date.
 */
import * as z from "zod/mini";
import {
  ClusterName,
  Count,
  MODULES_MAX,
  ModuleName,
  NODES_MAX,
  NodeName,
  Pem,
  Sentence,
  Sha256Hex,
  UnixMs,
  Word,
} from "./common.ts";
import { NodeAddresses } from "./enrolment.ts";

export const AddressDriverKind = z.enum(["arp", "local-proxy", "none"]);
export type AddressDriverKind = z.infer<typeof AddressDriverKind>;
export const TimerProfile = z.enum(["fast", "default", "tolerant"]);
export type TimerProfile = z.infer<typeof TimerProfile>;

export const ClusterNode = z.object({ id: NodeName, addresses: NodeAddresses });
export type ClusterNode = z.infer<typeof ClusterNode>;

/** The cluster as a node needs it. */
export const ClusterSettings = z.object({
  id: ClusterName,
  /** Names of the networks, best first; each node's addresses are keyed by them. */
  networks: z.array(Word).check(z.minLength(1), z.maxLength(8)),
  nodes: z.array(ClusterNode).check(z.maxLength(NODES_MAX)),
  timers: TimerProfile,
  addressDriver: AddressDriverKind,
});
export type ClusterSettings = z.infer<typeof ClusterSettings>;

/** One module of the cluster. */
export const ModuleEntry = z.object({
  id: ModuleName,
  mode: z.enum(["mirror", "farm", "light"]),
  /** Rises with every upload of this module. */
  version: z.int().check(z.positive()),
  /** Of the .safe file. */
  sha256: Sha256Hex,
  bytes: Count,
  nodes: z.array(NodeName).check(z.minLength(1), z.maxLength(NODES_MAX)),
  uploadedAtMs: UnixMs,
  uploadedBy: z.string().check(z.maxLength(100)),
});
export type ModuleEntry = z.infer<typeof ModuleEntry>;

/** Query of `GET /v1/nodes/self/configuration`: answers at once when `known` is not the version. */
export const ConfigurationQuery = z.object({
  known: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER))),
  waitMs: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(30_000))),
});

/** Only the modules that this node has a part in. */
export const NodeConfiguration = z.object({
  version: Count,
  cluster: ClusterSettings,
  modules: z.array(ModuleEntry).check(z.maxLength(MODULES_MAX)),
  caCertificates: z.array(Pem).check(z.minLength(1), z.maxLength(4)),
});
export type NodeConfiguration = z.infer<typeof NodeConfiguration>;

/** Query of the upload of a module. */
export const ModuleUploadQuery = z.object({
  /** Comma separated; all nodes of the cluster when absent. */
  nodes: z.optional(z.string().check(z.maxLength(2048))),
  /** Refused as stale when the module has another version; 0 = must not exist. */
  seenVersion: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(1e9))),
  /** Judge only, store nothing. */
  dryRun: z.optional(z.enum(["true", "false"])),
});
export const ModuleUploadAnswer = z.object({
  module: ModuleEntry,
  warnings: z.array(z.string().check(z.maxLength(4000))).check(z.maxLength(100)),
  stored: z.boolean(),
});
export type ModuleUploadAnswer = z.infer<typeof ModuleUploadAnswer>;

/** `PUT /v1/clusters/:c`: makes or changes a cluster. */
export const ClusterRequest = z.object({
  networks: z.optional(z.array(Word).check(z.minLength(1), z.maxLength(8))),
  nodes: z.optional(z.array(ClusterNode).check(z.maxLength(NODES_MAX))),
  timers: z.optional(TimerProfile),
  addressDriver: z.optional(AddressDriverKind),
  /** The cluster version the person saw; 0 = must not exist yet. */
  seenVersion: z.optional(Count),
});
export type ClusterRequest = z.infer<typeof ClusterRequest>;

/** `cluster.xml` in and out, as text in JSON so that one content type serves all people's routes. */
export const ClusterXml = z.object({
  xml: z.string().check(z.maxLength(262_144)),
  warnings: z.optional(z.array(Sentence)),
});
