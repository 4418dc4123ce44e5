/** The small marks that every page shares: never colour alone, always a shape and a word. */
import Box from "@cloudscape-design/components/box";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { Health, ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { HEALTH_LOOKS } from "#model/states/module-health.ts";
import type { Tone } from "#model/states/node-state.ts";
import { ageText, durationText, lastingText, momentText } from "../view/format.ts";
import { INDICATOR_OF_TONE, lookOf } from "../view/node-look.ts";
import { useCluster } from "./cluster-context.tsx";

/** The health of a module; what is stale is shown as unknown, with what it was. */
export function HealthBadge({
  health,
  isStale = false,
}: {
  readonly health: Health;
  readonly isStale?: boolean;
}) {
  if (isStale) return <StatusIndicator type="pending">Unknown (was {health})</StatusIndicator>;
  const { tone } = HEALTH_LOOKS[health];
  const type = health === "Failing over" ? "loading" : INDICATOR_OF_TONE[tone];
  return <StatusIndicator type={type}>{health}</StatusIndicator>;
}

/** A person works on the machines: until when nothing is done by itself. Nothing when not. */
export function MaintenanceBadge({ module }: { readonly module: Pick<ModuleView, "maintenance"> }) {
  const { nowMs } = useCluster();
  const { maintenance } = module;
  if (maintenance === null || maintenance.untilMs <= nowMs) return null;
  const { untilMs, by } = maintenance;
  return (
    <span title={`Until ${momentText(untilMs)}, by ${by}: no automatic action`}>
      <StatusIndicator type="info">
        Maintenance, {durationText(untilMs - nowMs)} left
      </StatusIndicator>
    </span>
  );
}

const COLOR_OF_TONE = {
  success: "text-status-success",
  info: "text-status-info",
  warning: "text-status-warning",
  error: "text-status-error",
  stopped: "text-status-inactive",
  pending: "text-status-inactive",
  progress: "text-status-info",
} as const satisfies Readonly<Record<Tone, string>>;

/** A module's state on one node, with its own shape. */
export function NodeStateBadge({ node }: { readonly node: ModuleOnNode }) {
  const { isStale } = useCluster();
  const { shape, word, tone, help } = lookOf(node);
  return (
    <Box variant="span" color={COLOR_OF_TONE[isStale ? "pending" : tone]}>
      <span className="one-line" title={help}>
        <span aria-hidden="true">{shape}</span> {isStale ? `was ${word}` : word}
      </span>
    </Box>
  );
}

/** How long ago, with the moment itself for who looks closer. */
export function Age({ atMs }: { readonly atMs: number }) {
  const { nowMs } = useCluster();
  return (
    <time dateTime={new Date(atMs).toISOString()} title={momentText(atMs)}>
      {ageText(atMs, nowMs)}
    </time>
  );
}

/** Since when, as how long: `for 44 s`. */
export function Lasting({ sinceMs }: { readonly sinceMs: number }) {
  const { nowMs } = useCluster();
  return (
    <time dateTime={new Date(sinceMs).toISOString()} title={momentText(sinceMs)}>
      for {lastingText(sinceMs, nowMs)}
    </time>
  );
}
