/** Which events are shown. Pure. */
import type { EventRecord } from "#model/contract/events.ts";

export const EVENT_FILTERS = [
  { value: "all", label: "All events", severities: "CEUSID" },
  { value: "problems", label: "Problems (C, E)", severities: "CE" },
  { value: "states", label: "States and actions (C, E, U, S)", severities: "CEUS" },
  { value: "people", label: "What people did (U)", severities: "U" },
] as const;
export type EventFilterId = (typeof EVENT_FILTERS)[number]["value"];

export interface EventFilter {
  /** Null: of all modules. What happened to a node as a whole belongs to each of its modules. */
  readonly moduleId: string | null;
  readonly text: string;
  readonly kind: EventFilterId;
}

/** Those that match, in the order they came in. */
export function filterEvents(
  events: readonly EventRecord[],
  { moduleId, text, kind }: EventFilter,
): readonly EventRecord[] {
  const severities = EVENT_FILTERS.find(({ value }) => value === kind)?.severities ?? "";
  const words = text.toLowerCase().split(/\s+/);
  return events.filter((event) => {
    if (moduleId !== null && (event.moduleId ?? moduleId) !== moduleId) return false;
    if (!severities.includes(event.severity)) return false;
    const searched = [event.text, event.kind, event.nodeId, event.moduleId, event.actor]
      .join(" ")
      .toLowerCase();
    return words.every((word) => searched.includes(word));
  });
}
