import {
  type AutomaticAction,
  countAction,
  type LoopCounter,
  type LoopLimits,
} from "../states/actions.ts";
import type { ModuleState } from "../states/lifecycle.ts";
import { evaluate, namesIn, readsInitial } from "./evaluate.ts";
import type { ResourceView } from "./resources.ts";
import type { CheckRule, RuleAction } from "./rules.ts";

/** What must outlive one look: the action that waits for its handle time, and the loop counter. */
export type CheckingRecord = {
  readonly pending: { readonly key: string; readonly sinceMs: number } | null;
  readonly loop: LoopCounter;
};

export const NEW_CHECKING_RECORD: CheckingRecord = { pending: null, loop: null };

export type CheckingFacts = {
  readonly rules: readonly CheckRule[];
  readonly handleTimeMs: number;
  readonly limits: LoopLimits;
  readonly state: ModuleState;
  readonly resources: ResourceView;
};

/** `wakeup`: nothing holds the module in WAIT any more. */
export type CheckingAction =
  | { readonly kind: AutomaticAction | "swap"; readonly services: string | null }
  | { readonly kind: "handler"; readonly executable: string; readonly label: string }
  | { readonly kind: "wakeup" };

export type CheckingDecision = {
  readonly record: CheckingRecord;
  readonly action: CheckingAction | null;
  /** The labels of wait rules that hold now: the module must not run its application. */
  readonly waitRules: readonly string[];
  /** A wait rule's resource has no result yet: a WAIT is Transient, not NotReady. */
  readonly awaitsFirstResults: boolean;
  readonly reason: string;
};

/** The strongest action wins: what stops the module also answers what would have restarted it. */
const STRENGTH: readonly RuleAction["kind"][] = [
  "stop",
  "wait",
  "stopstart",
  "swap",
  "restart",
  "handler",
];

/**
 * What the module must do about its checkers' results. Asked after every change of a resource and
 * once per rule period, but only while no script runs and the node is not fenced: an action that is
 * already being carried out must not be asked for again.
 */
export function decideChecks(
  was: CheckingRecord,
  facts: CheckingFacts,
  nowMs: number,
): CheckingDecision {
  const { rules, resources, state } = facts;
  const waits = rules.filter((rule) => rule.action.kind === "wait");
  const waitRules = waits.filter((rule) => evaluate(rule.when, resources));
  const awaitsFirstResults = waits.some((rule) => readsInitial(rule.when, resources));
  const common = { waitRules: waitRules.map(({ label }) => label), awaitsFirstResults };
  const none = { record: { ...was, pending: null }, action: null, ...common };
  if (state === "STOP") return { ...none, reason: "stopped" };
  if (state === "WAIT") {
    if (waitRules.length > 0) return { ...none, reason: whyOf(waitRules) };
    if (awaitsFirstResults) return { ...none, reason: "waits for the first results of checkers" };
    return { ...none, action: { kind: "wakeup" }, reason: "no wait rule holds" };
  }
  const rule = strongest(rules, facts);
  if (rule === undefined) return { ...none, reason: "no rule holds" };
  return { ...common, ...act(was, rule, facts, nowMs) };
}

function strongest(rules: readonly CheckRule[], facts: CheckingFacts): CheckRule | undefined {
  const holding = rules.filter((rule) => evaluate(rule.when, facts.resources));
  for (const kind of STRENGTH) {
    const found = holding.find((rule) => rule.action.kind === kind);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Acted = Pick<CheckingDecision, "record" | "action" | "reason">;

function act(was: CheckingRecord, rule: CheckRule, facts: CheckingFacts, nowMs: number): Acted {
  const { action } = rule;
  const key = `${action.kind} ${rule.services ?? ""}`;
  const sinceMs = was.pending?.key === key ? was.pending.sinceMs : nowMs;
  const reason = whyOf([rule]);
  if (!rule.isImmediate && nowMs - sinceMs < facts.handleTimeMs) {
    const waited = `${reason}; ${action.kind} if it stays so`;
    return { record: { ...was, pending: { key, sinceMs } }, action: null, reason: waited };
  }
  const record = { ...was, pending: null };
  switch (action.kind) {
    case "handler": {
      const { label } = rule;
      return { record, action: { kind: "handler", executable: action.executable, label }, reason };
    }
    case "swap":
      return { record, action: { kind: "swap", services: null }, reason };
    case "noaction":
    case "assign":
      return { record, action: null, reason };
    default: {
      const counted = countAction(was.loop, action.kind, reason, facts.limits, nowMs);
      const services = counted.action === "restart" ? rule.services : null;
      return {
        record: { pending: null, loop: counted.counter },
        action: { kind: counted.action, services },
        reason: counted.reason,
      };
    }
  }
}

/** `rule t_web (tcp.web)`. */
function whyOf(rules: readonly CheckRule[]): string {
  return rules.map(({ label, when }) => `rule ${label} (${namesIn(when).join(", ")})`).join(", ");
}
