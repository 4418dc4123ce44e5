/** What a person is told before a module is put into maintenance, or taken out of it. Pure. */
import type { ModuleView } from "#model/contract/snapshot.ts";
import { momentText } from "../view/format.ts";
import type { ActionPlan } from "./action-plan.ts";

const MINUTE_MS = 60_000;
/** How long it may last, as it is offered; the command line takes any time up to a week. */
export const DURATIONS: readonly {
  readonly text: string;
  readonly option: string;
  readonly ms: number;
}[] = [
  { text: "30 minutes", option: "30m", ms: 30 * MINUTE_MS },
  { text: "1 hour", option: "1h", ms: 60 * MINUTE_MS },
  { text: "2 hours", option: "2h", ms: 120 * MINUTE_MS },
  { text: "4 hours", option: "4h", ms: 240 * MINUTE_MS },
  { text: "8 hours", option: "8h", ms: 480 * MINUTE_MS },
  { text: "24 hours", option: "24h", ms: 1440 * MINUTE_MS },
];

const onlyMirrors = ({ id, configuration }: ModuleView): string | null =>
  configuration.mode === "mirror"
    ? null
    : `Only a mirror has it; ${id} is a ${configuration.mode}.`;

export function planMaintenance(module: ModuleView): Partial<ActionPlan> {
  const { maintenance } = module;
  const replaced =
    maintenance === null
      ? []
      : [
          `It is in maintenance until ${momentText(maintenance.untilMs)} already: this replaces that.`,
        ];
  return {
    level: "duration",
    blocked: onlyMirrors(module),
    sentences: [
      "Nothing is done by itself: no failover, no action of a checker, no return to the preferred node.",
      "If the primary dies meanwhile, nobody takes over: clients get no answer until it ends or you act.",
      "Your own commands work as always. It ends by itself, also when nobody is there.",
      ...replaced,
    ],
  };
}

export function planMaintenanceEnd(module: ModuleView): Partial<ActionPlan> {
  const none = module.maintenance === null ? "It is not in maintenance." : null;
  return {
    blocked: onlyMirrors(module) ?? none,
    sentences: ["What is due by itself is done at once: a failover, if no node serves."],
  };
}
