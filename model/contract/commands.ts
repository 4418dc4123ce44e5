/**
 * What people ask for, and what becomes of it. A command makes an operation; an operation has one
 * step per node that must do something, in phases (a phase starts when the one before is done).
 * Nodes fetch their steps by long poll, dedupe them by id, and report how they went.
 */
import * as z from "zod/mini";
import { MAINTENANCE_MS_MAX } from "../quorum/maintenance.ts";
import { Count, Epoch, Id, ModuleName, NodeName, Sentence, UnixMs } from "./common.ts";

export const CommandKind = z.enum([
  "start",
  "stop",
  "restart",
  "switchover",
  "force-primary",
  "full-resync",
  "maintenance-on",
  "maintenance-off",
]);
export type CommandKind = z.infer<typeof CommandKind>;

export const Role = z.enum(["viewer", "operator", "admin"]);
export type Role = z.infer<typeof Role>;

/** Who may ask for what: what can lose data is an admin's. */
export const ROLE_OF_COMMAND: Readonly<Record<CommandKind, "operator" | "admin">> = {
  start: "operator",
  stop: "operator",
  restart: "operator",
  switchover: "operator",
  "force-primary": "admin",
  "full-resync": "admin",
  "maintenance-on": "operator",
  "maintenance-off": "operator",
};

/** At least a second, at most a week: it always ends by itself. */
const MaintenanceMs = z.int().check(z.minimum(1000), z.maximum(MAINTENANCE_MS_MAX));

/** Body of `POST …/commands`; the header `idempotency-key` is required. */
export const CommandRequest = z.object({
  kind: CommandKind,
  /** Only this node; for `switchover` and `force-primary` the node that shall lead. */
  node: z.optional(NodeName),
  /** First start ever, or a forced one: the node whose copy is the good one. */
  dataFrom: z.optional(NodeName),
  /** The epoch the person saw; refused as stale when another one has begun. */
  seenEpoch: z.optional(Epoch),
  /** The module's name, typed by a person, for what can lose data. */
  confirm: z.optional(ModuleName),
  reason: z.optional(Sentence),
  /** `maintenance-on`: how long. */
  forMs: z.optional(MaintenanceMs),
  /**
   * `force-primary` on a node itself, the control plane being away: the person answers for the
   * other node being off. The control plane refuses it, as it is there.
   */
  withoutWitness: z.optional(z.boolean()),
});
export type CommandRequest = z.infer<typeof CommandRequest>;

/** What a node may be told to do; the two address kinds come from the reconciler, not from people. */
export const NodeCommandKind = z.enum([
  ...CommandKind.options,
  "announce-address",
  "withdraw-address",
]);
export type NodeCommandKind = z.infer<typeof NodeCommandKind>;

export const NodeCommand = z.object({
  id: Id,
  operationId: Id,
  moduleId: ModuleName,
  kind: NodeCommandKind,
  /** The node that shall lead afterwards, where the kind has one. */
  node: z.optional(NodeName),
  dataFrom: z.optional(NodeName),
  /** The epoch it was decided under; a node that knows a newer one refuses. */
  epoch: z.optional(Epoch),
  forMs: z.optional(MaintenanceMs),
  reason: z.optional(Sentence),
  withoutWitness: z.optional(z.boolean()),
  /** Do not begin later than this after receipt: a stale command must never surprise anyone. */
  remainingMs: Count,
  /** `person:ann` or `control-plane`. */
  actor: z.string().check(z.maxLength(100)),
});
export type NodeCommand = z.infer<typeof NodeCommand>;

export const COMMANDS_PER_POLL_MAX = 32;

/** Query of the long poll: `known` are the ids that the agent already holds, comma separated. */
export const NodeCommandsQuery = z.object({
  known: z.optional(z.string().check(z.maxLength(4000))),
  waitMs: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(30_000))),
});
export const NodeCommands = z.object({
  commands: z.array(NodeCommand).check(z.maxLength(COMMANDS_PER_POLL_MAX)),
});
export type NodeCommands = z.infer<typeof NodeCommands>;

export const CommandResult = z.object({
  id: Id,
  /** `unknown`: it was begun, and how it ends was not seen in time. It may still come about. */
  outcome: z.enum(["running", "done", "failed", "refused", "unknown"]),
  text: Sentence,
});
export type CommandResult = z.infer<typeof CommandResult>;
export const CommandResults = z.object({
  results: z.array(CommandResult).check(z.minLength(1), z.maxLength(COMMANDS_PER_POLL_MAX)),
});
export type CommandResults = z.infer<typeof CommandResults>;
/** Results whose ids were unknown or already final, so that the agent can forget them. */
export const CommandResultsAnswer = z.object({ taken: Count, ignored: Count });

export const OperationStep = z.object({
  id: Id,
  nodeId: NodeName,
  phase: Count,
  kind: NodeCommandKind,
  /** `expired`: the node was to begin and did not answer, so it may have. */
  state: z.enum(["waiting", "sent", "running", "done", "failed", "refused", "unknown", "expired"]),
  text: Sentence,
  updatedAtMs: UnixMs,
});
export type OperationStep = z.infer<typeof OperationStep>;

export const Operation = z.object({
  id: Id,
  moduleId: ModuleName,
  kind: NodeCommandKind,
  /** `unknown`: nobody can tell whether it was done; a late answer still says so. */
  state: z.enum(["running", "done", "failed", "unknown"]),
  /** One sentence that a flash bar can show. */
  text: Sentence,
  actor: z.string().check(z.maxLength(100)),
  node: z.optional(NodeName),
  dataFrom: z.optional(NodeName),
  epoch: z.optional(Epoch),
  forMs: z.optional(MaintenanceMs),
  reason: z.optional(Sentence),
  /** What may be lost by it, as it was known when it was asked for. */
  loss: z.optional(Sentence),
  createdAtMs: UnixMs,
  deadlineMs: UnixMs,
  finishedAtMs: z.nullable(UnixMs),
  steps: z.array(OperationStep).check(z.maxLength(64)),
});
export type Operation = z.infer<typeof Operation>;
