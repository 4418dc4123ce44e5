/**
 * What the console knows of a cluster, and the one reducer that stream and poll both go through.
 * Pure. Events have a gapless number: one that is known already is dropped, one that would leave a
 * gap is refused (the feed then asks again from where it is). Everything else is level-triggered:
 * the newest part replaces the one before.
 */
import type { Operation } from "#model/contract/commands.ts";
import type { EventRecord } from "#model/contract/events.ts";
import type {
  Change,
  Changes,
  ClusterSnapshot,
  ClusterView,
  ModuleView,
  NodeView,
} from "#model/contract/snapshot.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

/** Events kept in the page; older ones are asked for when someone looks for them. */
export const EVENTS_KEPT_MAX = 1_000;

export interface ClusterState {
  readonly clusterId: string;
  /** Of the last event that is contained. */
  readonly seq: number;
  readonly revision: number;
  /** What to add to the browser's clock to get the control plane's. */
  readonly clockOffsetMs: number;
  readonly cluster: ClusterView;
  readonly nodes: readonly NodeView[];
  readonly modules: readonly ModuleView[];
  readonly operations: readonly Operation[];
  /** Oldest first, without a gap. */
  readonly events: readonly EventRecord[];
}

/** The whole state anew. */
export function fromSnapshot(snapshot: ClusterSnapshot, browserNowMs: number): ClusterState {
  return {
    clusterId: snapshot.clusterId,
    seq: snapshot.lastSeq,
    revision: snapshot.revision,
    clockOffsetMs: snapshot.serverTimeMs - browserNowMs,
    cluster: snapshot.cluster,
    nodes: snapshot.nodes,
    modules: snapshot.modules,
    operations: snapshot.operations.map((view) => view.operation),
    events: snapshot.events,
  };
}

/** One event more; an error when events between are missing. */
export function withEvent(state: ClusterState, event: EventRecord): Result<ClusterState, "gap"> {
  if (event.seq <= state.seq) return ok(state);
  if (event.seq !== state.seq + 1) return err("gap");
  const events = [...state.events, event].slice(-EVENTS_KEPT_MAX);
  // A restarted control plane no longer tells that a module is gone; its log still does.
  const isGone = event.kind === "configurationRemoved" && event.moduleId !== undefined;
  const modules = isGone
    ? state.modules.filter((module) => module.id !== event.moduleId)
    : state.modules;
  return ok({ ...state, seq: event.seq, events, modules });
}

/** One part replaced, added or removed. */
export function withChange(state: ClusterState, change: Change): ClusterState {
  const next = { ...state, revision: change.revision };
  switch (change.part) {
    case "cluster": {
      const known = new Set(change.settings.nodes.map((node) => node.id));
      return { ...next, cluster: change, nodes: state.nodes.filter((node) => known.has(node.id)) };
    }
    case "node":
      return { ...next, nodes: replaced(state.nodes, change) };
    case "module":
      return { ...next, modules: replaced(state.modules, change) };
    case "removed":
      return { ...next, modules: state.modules.filter((module) => module.id !== change.id) };
    case "operation": {
      const { operation } = change;
      const isKnown = state.operations.some((one) => one.id === operation.id);
      // Newest first, as the snapshot has them.
      const operations = isKnown
        ? replaced(state.operations, operation)
        : [operation, ...state.operations];
      return { ...next, operations };
    }
  }
}

/** The answer of a poll; an error when it does not continue what is known. */
export function withPoll(
  state: ClusterState | null,
  answer: Changes,
  browserNowMs: number,
): Result<ClusterState, "gap"> {
  if (answer.snapshot !== null) return ok(fromSnapshot(answer.snapshot, browserNowMs));
  if (state === null) return err("gap");
  let next = state;
  for (const event of answer.events) {
    const extended = withEvent(next, event);
    if (!extended.ok) return extended;
    next = extended.value;
  }
  for (const change of answer.changes) next = withChange(next, change);
  const clockOffsetMs = answer.serverTimeMs - browserNowMs;
  return ok({ ...next, revision: answer.revision, clockOffsetMs });
}

function replaced<T extends { readonly id: string }>(list: readonly T[], item: T): readonly T[] {
  const isKnown = list.some((one) => one.id === item.id);
  return isKnown ? list.map((one) => (one.id === item.id ? item : one)) : [...list, item];
}
