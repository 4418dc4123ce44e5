import type {
  FailoverExpression,
  FailoverOperand,
  ResourceState,
} from "../module/failover/rule.ts";
import { assertNever } from "../shared/assert.ts";
import { type ResourceView, valuesOf } from "./resources.ts";

/** Does the condition of a rule hold? Total: every expression is true or false, never undecided. */
export function evaluate(expression: FailoverExpression, view: ResourceView): boolean {
  switch (expression.kind) {
    case "and":
      return expression.terms.every((term) => evaluate(term, view));
    case "or":
      return expression.terms.some((term) => evaluate(term, view));
    case "not":
      return !evaluate(expression.term, view);
    case "equal":
      return compare(expression.left, expression.right, view);
    case "differ":
      return !compare(expression.left, expression.right, view);
    case "call":
      // `cluster()` speaks of another product's membership service: it is never true here.
      return false;
    default:
      return assertNever(expression);
  }
}

/**
 * `class.?` is true when any resource of the class is equal, `class.*` when all are. Of a class
 * without resources nothing is true: "all of none" must not stop a module.
 */
function compare(left: FailoverOperand, right: FailoverOperand, view: ResourceView): boolean {
  const leftValues = operandValues(left, view);
  const rightValues = operandValues(right, view);
  if (leftValues.length === 0 || rightValues.length === 0) return false;
  const isEqual = (value: ResourceState): boolean =>
    quantify(right, rightValues, (other) => other === value);
  return quantify(left, leftValues, isEqual);
}

function operandValues(operand: FailoverOperand, view: ResourceView): readonly ResourceState[] {
  return operand.kind === "state" ? [operand.state] : valuesOf(view, operand.resource);
}

function quantify(
  operand: FailoverOperand,
  values: readonly ResourceState[],
  holds: (value: ResourceState) => boolean,
): boolean {
  const isAll = operand.kind === "resource" && operand.resource.id === "*";
  return isAll ? values.every(holds) : values.some(holds);
}

/** Does any resource that the condition reads still await its first result? */
export function readsInitial(expression: FailoverExpression, view: ResourceView): boolean {
  switch (expression.kind) {
    case "and":
    case "or":
      return expression.terms.some((term) => readsInitial(term, view));
    case "not":
      return readsInitial(expression.term, view);
    case "equal":
    case "differ":
      return [expression.left, expression.right].some(
        (operand) =>
          operand.kind === "resource" && valuesOf(view, operand.resource).includes("init"),
      );
    case "call":
      return false;
    default:
      return assertNever(expression);
  }
}

/** The names of the local resources in a condition, for the sentence that says why. */
export function namesIn(expression: FailoverExpression): readonly string[] {
  switch (expression.kind) {
    case "and":
    case "or":
      return [...new Set(expression.terms.flatMap(namesIn))];
    case "not":
      return namesIn(expression.term);
    case "equal":
    case "differ":
      return [expression.left, expression.right].flatMap((operand) =>
        operand.kind === "resource" ? [`${operand.resource.class}.${operand.resource.id}`] : [],
      );
    case "call":
      return [];
    default:
      return assertNever(expression);
  }
}
