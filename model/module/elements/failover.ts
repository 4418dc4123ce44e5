import { duration, YES_NO } from "../value-type.ts";
import { defaulted, element } from "./element.ts";

export const FAILOVER = element(
  "failover",
  "Rules from resources to actions, as text: `label: if ( tcp.app == down ) then restart();`.",
  {
    extends: defaulted(YES_NO, "yes", "yes: beside the default rules; no: in their place."),
    period: defaulted(duration("ms"), "5000ms", "Time between two evaluations."),
    handle_time: defaulted(
      duration("ms"),
      "15000ms",
      "An action must stay the same this long before it runs; a multiple of period.",
    ),
  },
  [],
  { hasText: true },
);
