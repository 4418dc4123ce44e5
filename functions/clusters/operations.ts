/**
 * Commands become operations, operations become steps of nodes. Phases keep an order that matters:
 * a module is stopped on its secondary first, so that stopping it everywhere is no failover. A step
 * that its node has not begun in time expires: a command must never surprise anyone later.
 */
import { createHash } from "node:crypto";
import type {
  CommandRequest,
  CommandResult,
  NodeCommand,
  NodeCommandKind,
  Operation,
  OperationStep,
} from "#model/contract/commands.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { OperationRecord } from "./records.ts";
import { clusterTopic, nodeTopic } from "./signals.ts";

/** A node must begin its step within this, counted from when the step could begin. */
export const STEP_START_MS = 60_000;
/** After this an operation that still runs has failed, whatever its nodes say later. */
export const OPERATION_MS = 15 * 60_000;
/** Finished operations kept per cluster. */
const OPERATIONS_KEPT_MAX = 200;
/** Operations of one cluster that may run at once. */
const OPERATIONS_RUNNING_MAX = 50;

/** What to make an operation of. */
export interface Plan {
  readonly moduleId: string;
  readonly kind: NodeCommandKind;
  readonly actor: string;
  readonly node?: string;
  readonly dataFrom?: string;
  readonly epoch?: number;
  readonly forMs?: number;
  readonly reason?: string;
  readonly loss?: string;
  /** Nodes per phase. */
  readonly phases: readonly (readonly string[])[];
}

/** The id that a caller's idempotency key stands for. */
export const operationId = (clusterId: string, actor: string, key: string): string =>
  `op_${createHash("sha256")
    .update(JSON.stringify([clusterId, actor, key]))
    .digest("hex")
    .slice(0, 24)}`;

/** What was asked, so that the same key with other words is told apart from a repeat. */
export const askedHash = (moduleId: string, request: CommandRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([moduleId, request]))
    .digest("hex");

/** Stores an operation and wakes its first nodes. The same id again answers what the first made. */
export async function createOperation(
  cp: ControlPlane,
  clusterId: string,
  id: string,
  asked: string,
  plan: Plan,
): Promise<Result<Operation, ApiFailure>> {
  const known = await cp.operations.read(clusterId, id);
  if (known !== null) return repeated(known.value, asked);
  const running = (await cp.operations.list(clusterId)).filter(
    ({ value }) => value.operation.state === "running",
  );
  if (running.length >= OPERATIONS_RUNNING_MAX) {
    return err(failure("tooMany", "too many operations are running", "wait for some to end"));
  }
  const operation = newOperation(id, plan, cp.clock.nowMs());
  if (!(await cp.operations.write(clusterId, id, 0, { operation, asked }))) {
    const other = await cp.operations.read(clusterId, id);
    return other === null ? err(failure("contended", "try again")) : repeated(other.value, asked);
  }
  await prune(cp, clusterId);
  wake(cp, clusterId, operation);
  return ok(operation);
}

function repeated(known: OperationRecord, asked: string): Result<Operation, ApiFailure> {
  if (known.asked === asked) return ok(known.operation);
  return err(failure("conflict", "this idempotency key was used for another command"));
}

function newOperation(id: string, plan: Plan, nowMs: number): Operation {
  const { phases, ...rest } = plan;
  const steps = phases.flatMap((nodes, phase) =>
    nodes.map(
      (nodeId, index): OperationStep => ({
        id: `${id}.${phase}.${index}`,
        nodeId,
        phase,
        kind: plan.kind,
        state: "waiting",
        text: "",
        updatedAtMs: nowMs,
      }),
    ),
  );
  const deadlineMs = nowMs + OPERATION_MS;
  const text = `${plan.kind} ${plan.moduleId}: waiting for ${steps[0]?.nodeId ?? "nobody"}`;
  return {
    ...rest,
    id,
    state: "running",
    text,
    createdAtMs: nowMs,
    deadlineMs,
    finishedAtMs: null,
    steps,
  };
}

/** Steps of this node that may begin now or already run, oldest first. */
export async function pendingCommands(
  cp: ControlPlane,
  clusterId: string,
  nodeId: string,
): Promise<readonly NodeCommand[]> {
  const operations = (await cp.operations.list(clusterId))
    .map(({ value }) => advance(value.operation, cp.clock.nowMs()))
    .filter((operation) => operation.state === "running")
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  return operations.flatMap((operation) =>
    openSteps(operation)
      .filter((step) => step.nodeId === nodeId)
      .map((step) => asCommand(operation, step, cp.clock.nowMs())),
  );
}

function asCommand(operation: Operation, step: OperationStep, nowMs: number): NodeCommand {
  const { node, dataFrom, epoch, forMs, reason } = operation;
  return {
    id: step.id,
    operationId: operation.id,
    moduleId: operation.moduleId,
    kind: step.kind,
    actor: operation.actor,
    remainingMs: Math.max(0, step.updatedAtMs + STEP_START_MS - nowMs),
    ...(node === undefined ? {} : { node }),
    ...(dataFrom === undefined ? {} : { dataFrom }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(forMs === undefined ? {} : { forMs }),
    ...(reason === undefined ? {} : { reason }),
  };
}

const isOpen = (step: OperationStep): boolean =>
  step.state === "waiting" || step.state === "sent" || step.state === "running";

/** Perhaps it was done, perhaps not; what its node says late is heard. */
const isUnknown = (step: OperationStep): boolean =>
  step.state === "unknown" || step.state === "expired";

/** Open steps of the first phase that has any. */
function openSteps(operation: Operation): readonly OperationStep[] {
  const open = operation.steps.filter(isOpen);
  const phase = Math.min(...open.map((step) => step.phase));
  return open.filter((step) => step.phase === phase);
}

/** Pure: what time does to an operation. Also run by the sweep, so nothing hangs for ever. */
function advance(was: Operation, nowMs: number): Operation {
  if (was.state !== "running") return was;
  const startable = new Set(openSteps(was).map((step) => step.id));
  const steps = was.steps.map((step): OperationStep => {
    const isUnbegun = step.state === "waiting" || step.state === "sent";
    if (!isUnbegun || !startable.has(step.id)) return step;
    if (nowMs < step.updatedAtMs + STEP_START_MS) return step;
    return { ...step, state: "expired", text: `${step.nodeId} did not answer`, updatedAtMs: nowMs };
  });
  return settle({ ...was, steps }, nowMs, was);
}

/** Pure: what a node's result does to an operation. Null when the step is unknown or over. */
function applyResult(was: Operation, result: CommandResult, nowMs: number): Operation | null {
  const step = was.steps.find((one) => one.id === result.id);
  if (was.state === "done" || was.state === "failed" || step === undefined) return null;
  if (!isOpen(step) && !isUnknown(step)) return null;
  const changed: OperationStep = {
    ...step,
    state: result.outcome,
    text: result.text,
    updatedAtMs: nowMs,
  };
  const steps = was.steps.map((one) => (one.id === step.id ? changed : one));
  const after = settle({ ...was, steps }, nowMs, was);
  // What was given up waiting for ends with a late word, and begins nothing more by it.
  const isStillUnknown =
    was.state === "unknown" && after.state !== "done" && after.state !== "failed";
  return isStillUnknown ? { ...was, steps } : after;
}

/** Ends an operation whose steps are over, and restarts the clock of a phase that begins. */
function settle(operation: Operation, nowMs: number, was: Operation): Operation {
  const missed = operation.steps.filter((step) => isToldByPeer(operation, step));
  const bad = operation.steps.find((step) => step.state === "failed" || step.state === "refused");
  const lost = operation.steps.find((step) => isUnknown(step) && !missed.includes(step));
  const finished = { finishedAtMs: nowMs } as const;
  const name = `${operation.kind} ${operation.moduleId}`;
  if (bad !== undefined) {
    return { ...operation, ...finished, state: "failed", text: `${name} failed: ${bad.text}` };
  }
  if (lost !== undefined) {
    const text = `${name}: it is not known whether that was done: ${lost.text}`;
    return { ...operation, ...finished, state: "unknown", text };
  }
  if (operation.steps.every((step) => step.state === "done" || missed.includes(step))) {
    const done = operation.steps.findLast((step) => step.state === "done")?.text ?? "";
    const last = [done, ...missed.map((step) => `${step.text}: the other node tells it`)].join(
      "; ",
    );
    return { ...operation, ...finished, state: "done", text: `${name}: done. ${last}`.trim() };
  }
  if (nowMs >= operation.deadlineMs) {
    return { ...operation, ...finished, state: "unknown", text: `${name} has not ended in time` };
  }
  const begun = openSteps(operation);
  const phaseBefore = openSteps(was)[0]?.phase;
  const isNewPhase = begun[0]?.phase !== phaseBefore;
  const names = begun.map((step) => step.nodeId).join(", ");
  const steps = isNewPhase
    ? operation.steps.map((step) => (begun.includes(step) ? { ...step, updatedAtMs: nowMs } : step))
    : operation.steps;
  return { ...operation, steps, text: `${name}: waiting for ${names}` };
}

/** A node that could not be asked about a maintenance hears of it from the other one. */
const isToldByPeer = ({ kind, steps }: Operation, { state }: OperationStep): boolean =>
  (kind === "maintenance-on" || kind === "maintenance-off") &&
  state === "expired" &&
  steps.some((one) => one.state === "done");

/** Takes a node's result; false when there is nothing (any more) that it belongs to. */
export async function takeResult(
  cp: ControlPlane,
  clusterId: string,
  nodeId: string,
  result: CommandResult,
): Promise<boolean> {
  const id = result.id.split(".", 1)[0] ?? "";
  let finished: Operation | null = null;
  const nowMs = cp.clock.nowMs();
  const changed = await cp.operations.change(clusterId, id, (was) => {
    finished = null;
    const step = was?.operation.steps.find((one) => one.id === result.id);
    const after = was === null ? null : applyResult(was.operation, result, nowMs);
    if (was === null || after === null || step?.nodeId !== nodeId) {
      return err(failure("notFound", "no such step"));
    }
    if (after.state !== "running") finished = after;
    return ok({ ...was, operation: after });
  });
  if (!changed.ok) return false;
  wake(cp, clusterId, changed.value.operation);
  if (finished !== null) await tellFinished(cp, clusterId, finished);
  return true;
}

async function tellFinished(cp: ControlPlane, clusterId: string, done: Operation): Promise<void> {
  await cp.events.tell(clusterId, {
    kind: "commandFinished",
    severity: done.state === "done" ? "I" : "E",
    moduleId: done.moduleId,
    text: done.text,
    actor: done.actor,
    data: { operation: done.id, command: done.kind, state: done.state },
    dedupeKey: `finished/${done.id}/${done.state}`,
  });
}

/** Expires what nobody began. Part of the sweep. */
export async function sweepOperations(cp: ControlPlane, clusterId: string): Promise<void> {
  for (const { id, version, value } of await cp.operations.list(clusterId)) {
    const after = advance(value.operation, cp.clock.nowMs());
    if (after.state === value.operation.state) continue;
    if (!(await cp.operations.write(clusterId, id, version, { ...value, operation: after }))) {
      continue;
    }
    cp.signals.notify(clusterTopic(clusterId));
    await tellFinished(cp, clusterId, after);
  }
}

function wake(cp: ControlPlane, clusterId: string, operation: Operation): void {
  cp.signals.notify(clusterTopic(clusterId));
  for (const step of operation.steps) cp.signals.notify(nodeTopic(clusterId, step.nodeId));
}

async function prune(cp: ControlPlane, clusterId: string): Promise<void> {
  const over = (await cp.operations.list(clusterId))
    .filter(({ value }) => value.operation.state !== "running")
    .sort((a, b) => b.value.operation.createdAtMs - a.value.operation.createdAtMs);
  for (const { id, version } of over.slice(OPERATIONS_KEPT_MAX)) {
    await cp.operations.remove(clusterId, id, version);
  }
}
