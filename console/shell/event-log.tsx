/** A log that can be read while it grows: new events wait behind a button once someone reads. */
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useState } from "react";
import { EVENT_FILTERS, type EventFilterId, filterEvents } from "../view/event-filter.ts";
import { useCluster } from "./cluster-context.tsx";
import { EventsTable } from "./events-table.tsx";
import { useOlderEvents } from "./use-older-events.ts";

/** The newest events of the cluster, or of one module. */
export function EventLog({
  moduleId,
  title,
}: {
  readonly moduleId: string | null;
  readonly title: string;
}) {
  const { state } = useCluster();
  const [text, setText] = useState("");
  const [kind, setKind] = useState<EventFilterId>("all");
  /** The last event shown while reading; null: the log follows. */
  const [heldAt, setHeldAt] = useState<number | null>(null);
  const older = useOlderEvents();
  const known = [...older.events, ...(state?.events ?? [])];
  const matching = filterEvents(known, { moduleId, text, kind });
  const shown = heldAt === null ? matching : matching.filter(({ seq }) => seq <= heldAt);
  const waiting = matching.length - shown.length;
  const clear = () => {
    setText("");
    setKind("all");
  };
  const selected = EVENT_FILTERS.find(({ value }) => value === kind) ?? EVENT_FILTERS[0];
  return (
    <EventsTable
      events={shown}
      header={
        <Header
          variant="h2"
          counter={`(${shown.length})`}
          actions={
            <Button
              onClick={() => setHeldAt(heldAt === null ? (state?.seq ?? 0) : null)}
              iconName={heldAt === null ? "pause" : "play"}
            >
              {heldAt === null ? "Hold still" : `Follow (${waiting} new)`}
            </Button>
          }
        >
          {title}
        </Header>
      }
      filter={
        <SpaceBetween direction="horizontal" size="s">
          <TextFilter
            filteringText={text}
            filteringPlaceholder="Find events"
            filteringAriaLabel="Find events"
            countText={text === "" ? "" : `${shown.length} found`}
            onChange={({ detail }) => setText(detail.filteringText)}
          />
          <Select
            ariaLabel="Which events"
            options={EVENT_FILTERS}
            selectedOption={selected}
            onChange={({ detail }) => {
              const chosen = EVENT_FILTERS.find(
                ({ value }) => value === detail.selectedOption.value,
              );
              setKind(chosen?.value ?? "all");
            }}
          />
        </SpaceBetween>
      }
      footer={
        <Box textAlign="center">
          {older.isComplete ? (
            "This is the beginning of the log."
          ) : (
            <Button onClick={older.load} loading={older.isLoading}>
              Load older events
            </Button>
          )}
        </Box>
      }
      empty={
        known.length === 0 ? (
          "Nothing has happened yet."
        ) : (
          <SpaceBetween size="xs">
            <b>No event matches</b>
            <Button onClick={clear}>Clear filter</Button>
          </SpaceBetween>
        )
      }
    />
  );
}
