/**
 * The rules of one module, from three sources: the product's own, one for each checker and watched
 * process, and the module's `<failover>` text. Their names are those that people see in the log.
 */
import type { CheckConfig, ModuleConfig, ProcConfig } from "../module/config.ts";
import type { FailoverAction, FailoverExpression } from "../module/failover/rule.ts";
import { checksOf } from "./watches.ts";

/** What a rule leads to: a failover action, a module's own handler, or nothing but a log line. */
export type RuleAction =
  | FailoverAction
  | { readonly kind: "handler"; readonly executable: string }
  | { readonly kind: "noaction" };

export type CheckRule = {
  readonly label: string;
  readonly when: FailoverExpression;
  readonly action: RuleAction;
  /** Watched processes act at once; the rest must hold for the configured handle time. */
  readonly isImmediate: boolean;
  /** `restart_services`: a restart in place is for these services only; null: for all. */
  readonly services: string | null;
};

/** Every rule of a module, in the order in which they are read out to people. */
export function rulesOf(config: ModuleConfig): readonly CheckRule[] {
  const checks = checksOf(config);
  const own = (config.failover?.rules ?? []).map((rule) =>
    toRule(rule.label, rule.when, rule.action),
  );
  const generated = [
    ...checks.flatMap((check) => checkRule(check)),
    ...(config.errd?.procs ?? []).map((proc) => procRule(proc)),
  ];
  // `extends="no"` replaces the defaults; the rules of declared checkers are not defaults.
  const defaults = config.failover?.extendsDefaults === false ? [] : defaultRules(checks);
  return [...own, ...defaults, ...generated];
}

/** How long an action must stay wanted; 0 without `<failover>`, as checkers confirm a fault themselves. */
export function handleTimeMsOf(config: ModuleConfig): number {
  return config.failover?.handleTimeMs ?? 0;
}

const DEFAULTS = [
  { label: "module_failure", kind: "module", action: "wait" },
  { label: "interface_failure", kind: "intf", action: "wait" },
  { label: "ip_failure", kind: "ip", action: "stopstart" },
] as const;

/**
 * The rules for a whole class hold for the checkers that leave the class's default action in place.
 * `splitbrain` has none: who may be primary is decided by votes (model/quorum), not by a ping.
 */
function defaultRules(checks: readonly CheckConfig[]): readonly CheckRule[] {
  return DEFAULTS.filter(({ kind }) => checks.some((check) => check.kind === kind)).map(
    ({ label, kind, action }) => toRule(label, isDown(kind, "?"), { kind: action }),
  );
}

const RULE_PREFIXES: Readonly<Partial<Record<CheckConfig["kind"], string>>> = {
  tcp: "t",
  ping: "p",
  custom: "c",
};

function checkRule(check: CheckConfig): readonly CheckRule[] {
  const prefix = RULE_PREFIXES[check.kind];
  if (prefix === undefined || check.action === "noaction") return [];
  const when = isDown(check.kind, check.ident);
  return [toRule(`${prefix}_${check.ident}`, when, { kind: check.action })];
}

function procRule(proc: ProcConfig): CheckRule {
  const rule = toRule(`proc_${proc.name}`, isDown("proc", proc.name), proc.action);
  return { ...rule, isImmediate: true, services: proc.restartServices };
}

function toRule(label: string, when: FailoverExpression, action: RuleAction): CheckRule {
  return { label, when, action, isImmediate: false, services: null };
}

/** `class.id == down`. */
function isDown(className: string, id: string): FailoverExpression {
  return {
    kind: "equal",
    left: { kind: "resource", resource: { scope: "local", class: className, id } },
    right: { kind: "state", state: "down" },
  };
}
