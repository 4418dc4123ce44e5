import { assertNever } from "../../shared/assert.ts";
import type {
  FailoverAction,
  FailoverExpression,
  FailoverOperand,
  FailoverRule,
  ResourceReference,
} from "./rule.ts";

/** One rule as it is written in a file; `parseRules` reads it back as the same rule. */
export const formatRule = ({ label, when, action }: FailoverRule): string =>
  `${label}: if ( ${formatExpression(when)} ) then ${formatAction(action)};`;

/** A condition as it is written, with parentheses around all that is not a comparison. */
export function formatExpression(expression: FailoverExpression): string {
  switch (expression.kind) {
    case "and":
    case "or": {
      const sign = expression.kind === "and" ? " && " : " || ";
      return expression.terms.map(formatTerm).join(sign);
    }
    case "not":
      return `!${formatTerm(expression.term)}`;
    case "equal":
    case "differ": {
      const sign = expression.kind === "equal" ? "==" : "!=";
      return `${formatOperand(expression.left)} ${sign} ${formatOperand(expression.right)}`;
    }
    case "call":
      return `${expression.name}()`;
    default:
      return assertNever(expression);
  }
}

const formatTerm = (term: FailoverExpression): string =>
  term.kind === "call" ? formatExpression(term) : `(${formatExpression(term)})`;

const formatOperand = (operand: FailoverOperand): string =>
  operand.kind === "state" ? operand.state : formatResource(operand.resource);

const formatResource = (resource: ResourceReference): string =>
  `${resource.scope === "remote" ? "remote." : ""}${resource.class}.${resource.id}`;

const formatAction = (action: FailoverAction): string =>
  action.kind === "assign"
    ? `${formatResource(action.resource)}=${action.state}`
    : `${action.kind}()`;
