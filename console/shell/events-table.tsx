import Box from "@cloudscape-design/components/box";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import type { ReactNode } from "react";
import type { EventRecord } from "#model/contract/events.ts";
import { eventTimeText, momentText } from "../view/format.ts";
import { useCluster } from "./cluster-context.tsx";

/** What the letters stand for: the same as in logs and on the command line. */
export const SEVERITY_WORDS: Readonly<Record<EventRecord["severity"], string>> = {
  C: "Critical",
  E: "Error",
  U: "Person",
  S: "State",
  I: "Information",
  D: "Detail",
};
const SEVERITY_COLOR = {
  C: "text-status-error",
  E: "text-status-error",
  U: "text-status-info",
  S: "inherit",
  I: "inherit",
  D: "text-status-inactive",
} as const;

const COLUMNS: readonly TableProps.ColumnDefinition<EventRecord>[] = [
  {
    id: "time",
    header: "Time",
    width: 140,
    cell: ({ atMs }) => <EventTime atMs={atMs} />,
  },
  {
    id: "severity",
    header: "Kind",
    width: 130,
    cell: ({ severity }) => (
      <Box variant="span" color={SEVERITY_COLOR[severity]}>
        <span className="one-line">
          <b>{severity}</b> {SEVERITY_WORDS[severity]}
        </span>
      </Box>
    ),
  },
  {
    id: "text",
    header: "What happened",
    isRowHeader: true,
    minWidth: 220,
    cell: ({ text }) => <span className="any-text">{text}</span>,
  },
  { id: "node", header: "Node", width: 110, cell: ({ nodeId }) => nodeId ?? "–" },
  { id: "module", header: "Module", width: 110, cell: ({ moduleId }) => moduleId ?? "–" },
];

function EventTime({ atMs }: { readonly atMs: number }) {
  const { nowMs } = useCluster();
  return (
    <time dateTime={new Date(atMs).toISOString()} title={momentText(atMs)} className="figures">
      {eventTimeText(atMs, nowMs)}
    </time>
  );
}

/** Events, newest first. */
export function EventsTable({
  events,
  header,
  filter,
  footer,
  empty = "Nothing has happened yet.",
}: {
  /** Oldest first, as they are kept. */
  readonly events: readonly EventRecord[];
  readonly header: ReactNode;
  readonly filter?: ReactNode;
  readonly footer?: ReactNode;
  readonly empty?: ReactNode;
}) {
  return (
    <Table
      items={events.toReversed()}
      trackBy={({ seq }) => `${seq}`}
      columnDefinitions={COLUMNS}
      wrapLines
      contentDensity="compact"
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: "Events" }}
      header={header}
      filter={filter}
      footer={footer}
      empty={
        <Box textAlign="center" padding="m" color="text-body-secondary">
          {empty}
        </Box>
      }
    />
  );
}
