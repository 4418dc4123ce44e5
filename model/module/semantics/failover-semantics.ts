import { FAILOVER } from "../elements/failover.ts";
import type { FailoverExpression, FailoverRule } from "../failover/rule.ts";
import { parseFailoverText } from "../failover/text.ts";
import { quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";

/** Rules that can be read, that speak of what the mode has, and timers that fit each other. */
export function judgeFailover(service: TypedElement, { problems, mode }: Judging): void {
  const failover = service.child(FAILOVER);
  if (failover === null) return;
  const { period, handle_time: handleTime } = FAILOVER.attributes;
  if (failover.isSound(period) && failover.isSound(handleTime)) {
    const [periodMs, handleMs] = [failover.read(period), failover.read(handleTime)];
    if (periodMs === 0) problems.error(failover.offsetOf(period), "period cannot be 0");
    else if (handleMs % periodMs !== 0) {
      const message = `handle_time has to be a multiple of period (${periodMs}ms)`;
      problems.error(failover.offsetOf(handleTime), message);
    }
  }
  const { rules, errors, hasLua } = parseFailoverText(failover.text);
  for (const { offset, message } of errors) problems.error(failover.textOffset(offset), message);
  if (hasLua) problems.warn(failover.offset, "rules in Lua are understood but not acted on yet");
  for (const rule of rules) {
    if (mode !== "mirror" && needsMirror(rule)) {
      const message = `rule ${quote(rule.label)}: swap() and remote. belong in a mirror module`;
      problems.error(failover.textOffset(0), message);
    }
    if (rule.action.kind === "assign" || callsOut(rule.when)) {
      const message = `rule ${quote(rule.label)} is understood but not acted on: internal to SafeKit`;
      problems.warn(failover.textOffset(0), message);
    }
  }
}

const needsMirror = ({ when, action }: FailoverRule): boolean =>
  action.kind === "swap" || some(when, (part) => isRemote(part));

const callsOut = (when: FailoverExpression): boolean => some(when, ({ kind }) => kind === "call");

function isRemote(part: FailoverExpression): boolean {
  if (part.kind !== "equal" && part.kind !== "differ") return false;
  return [part.left, part.right].some(
    (side) => side.kind === "resource" && side.resource.scope === "remote",
  );
}

function some(
  expression: FailoverExpression,
  test: (part: FailoverExpression) => boolean,
): boolean {
  if (test(expression)) return true;
  if (expression.kind === "not") return some(expression.term, test);
  if (expression.kind !== "and" && expression.kind !== "or") return false;
  return expression.terms.some((term) => some(term, test));
}
