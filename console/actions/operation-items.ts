/** Operations as items of the flash bar. Pure: a reload or a second person sees the same bar. */
import type { Operation } from "#model/contract/commands.ts";
import { durationText } from "../view/format.ts";

export interface OperationItem {
  readonly id: string;
  readonly type: "in-progress" | "success" | "warning" | "error";
  readonly header: string;
  readonly content: string;
}

/** A success has been seen by then; a failure stays until someone puts it away. */
const SUCCESS_SHOWN_MS = 30_000;
export const ITEMS_MAX = 4;

const DOING = {
  start: "Starting",
  stop: "Stopping",
  restart: "Restarting",
  switchover: "Switching over",
  "force-primary": "Forcing",
  "full-resync": "Resynchronising",
  "maintenance-on": "Beginning maintenance of",
  "maintenance-off": "Ending maintenance of",
} as const;
const DONE = {
  start: "Started",
  stop: "Stopped",
  restart: "Restarted",
  switchover: "Switched over",
  "force-primary": "Forced",
  "full-resync": "Resynchronised",
  "maintenance-on": "Began maintenance of",
  "maintenance-off": "Ended maintenance of",
} as const;

const isPersons = (kind: Operation["kind"]): kind is keyof typeof DOING => kind in DOING;

/** Newest first; what the reconciler asks for is not a person's concern. */
export function operationItems(
  operations: readonly Operation[],
  dismissed: ReadonlySet<string>,
  nowMs: number,
): readonly OperationItem[] {
  return operations
    .filter((operation) => isPersons(operation.kind) && !dismissed.has(operation.id))
    .filter(({ state, finishedAtMs }) => {
      return state !== "done" || finishedAtMs === null || nowMs - finishedAtMs < SUCCESS_SHOWN_MS;
    })
    .slice(0, ITEMS_MAX)
    .map(itemOf);
}

function itemOf(operation: Operation): OperationItem {
  const { id, kind, moduleId, node, state, text } = operation;
  const subject = `${moduleId}${node === undefined ? "" : ` (${node})`}`;
  if (!isPersons(kind)) return { id, type: "in-progress", header: subject, content: text };
  if (state === "running") {
    return {
      id,
      type: "in-progress",
      header: `${DOING[kind]} ${subject}`,
      content: stepsText(operation),
    };
  }
  if (state === "unknown") {
    return { id, type: "warning", header: `${DOING[kind]} ${subject}: not known`, content: text };
  }
  if (state === "failed") {
    return { id, type: "error", header: `${DOING[kind]} ${subject} failed`, content: text };
  }
  const took =
    operation.finishedAtMs === null
      ? ""
      : ` It took ${durationText(operation.finishedAtMs - operation.createdAtMs)}.`;
  return { id, type: "success", header: `${DONE[kind]} ${subject}`, content: `${text}${took}` };
}

/** Where it is: `node1 done; node2 running: stop_prim`. */
function stepsText({ steps, text }: Operation): string {
  if (steps.length === 0) return text;
  return steps
    .map((step) => `${step.nodeId} ${step.state}${step.text === "" ? "" : `: ${step.text}`}`)
    .join("; ");
}
