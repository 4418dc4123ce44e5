import { err, ok, type Result } from "../../shared/result.ts";
import { didYouMean, quote } from "../problem.ts";
import type {
  FailoverAction,
  FailoverExpression,
  FailoverOperand,
  FailoverRule,
  ResourceReference,
  ResourceState,
} from "./rule.ts";
import { type Token, tokenize } from "./tokens.ts";

/** What is wrong with the rules, and at which character of their text. */
type RuleError = { readonly offset: number; readonly message: string };
/** All rules that could be read, and all errors. */
export type ParsedRules = {
  readonly rules: readonly FailoverRule[];
  readonly errors: readonly RuleError[];
};

/** Parentheses and negations deeper than this are no rule of a person. */
const DEPTH_MAX = 30;
/** Far more than anybody writes; each is evaluated every few seconds. */
const RULES_MAX = 500;
const ERRORS_MAX = 50;
const STATES = ["init", "down", "up", "unknown"] as const;
const ACTIONS = ["stop", "stopstart", "wait", "restart", "swap"] as const;

/**
 * Reads `label: if ( expr ) then action;` rules. After an error it goes on behind the next
 * semicolon, so that one report shows them all.
 */
export function parseRules(text: string): ParsedRules {
  const parser = new RuleParser(tokenize(text));
  const rules: FailoverRule[] = [];
  const errors: RuleError[] = [];
  while (!parser.isAtEnd && errors.length < ERRORS_MAX) {
    const start = parser.offset;
    const rule = parser.rule();
    if (!rule.ok) {
      errors.push(rule.error);
      parser.skipRule();
    } else if (rules.some(({ label }) => label === rule.value.label)) {
      errors.push({ offset: start, message: `rule ${quote(rule.value.label)} is there twice` });
    } else if (rules.length >= RULES_MAX) {
      return { rules, errors: [...errors, { offset: start, message: `over ${RULES_MAX} rules` }] };
    } else {
      rules.push(rule.value);
    }
  }
  return { rules, errors };
}

type Parsed<T> = Result<T, RuleError>;

/** Recursive descent: `||` binds loosest, then `&&`, then `!`, then `==` and `!=`. */
class RuleParser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "", offset: 0 };
  }
  get isAtEnd(): boolean {
    return this.#token.kind === "end";
  }
  get offset(): number {
    return this.#token.offset;
  }

  skipRule(): void {
    this.#depth = 0;
    while (!this.isAtEnd && this.#token.text !== ";") this.#next += 1;
    if (!this.isAtEnd) this.#next += 1;
  }

  rule(): Parsed<FailoverRule> {
    const label = this.#word("a rule begins with its label");
    if (!label.ok) return label;
    for (const expected of [":", "if", "("]) {
      const found = this.#expect(expected);
      if (!found.ok) return found;
    }
    const when = this.#or();
    if (!when.ok) return when;
    for (const expected of [")", "then"]) {
      const found = this.#expect(expected);
      if (!found.ok) return found;
    }
    const action = this.#action();
    if (!action.ok) return action;
    const end = this.#expect(";");
    return end.ok ? ok({ label: label.value.text, when: when.value, action: action.value }) : end;
  }

  #or(): Parsed<FailoverExpression> {
    return this.#chain("||", "or", () => this.#and());
  }
  #and(): Parsed<FailoverExpression> {
    return this.#chain("&&", "and", () => this.#unary());
  }

  #chain(
    sign: string,
    kind: "or" | "and",
    parseTerm: () => Parsed<FailoverExpression>,
  ): Parsed<FailoverExpression> {
    const first = parseTerm();
    if (!first.ok || this.#token.text !== sign) return first;
    const terms = [first.value];
    while (this.#token.text === sign) {
      this.#next += 1;
      const term = parseTerm();
      if (!term.ok) return term;
      terms.push(term.value);
    }
    return ok({ kind, terms });
  }

  #unary(): Parsed<FailoverExpression> {
    const isNot = this.#token.text === "!";
    if (!isNot && this.#token.text !== "(") return this.#comparison();
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) return this.#fail(`nested deeper than ${DEPTH_MAX}`);
    this.#next += 1;
    const inner = isNot ? this.#unary() : this.#or();
    this.#depth -= 1;
    if (!inner.ok) return inner;
    if (isNot) return ok({ kind: "not", term: inner.value });
    const closed = this.#expect(")");
    return closed.ok ? inner : closed;
  }

  #comparison(): Parsed<FailoverExpression> {
    const start = this.#token;
    if (this.#tokens[this.#next + 1]?.text === "(") return this.#call();
    const left = this.#operand();
    if (!left.ok) return left;
    const sign = this.#token.text;
    if (sign !== "==" && sign !== "!=") {
      return this.#fail(`${quote(start.text)} has to be compared, e.g. ${start.text} == down`);
    }
    this.#next += 1;
    const right = this.#operand();
    if (!right.ok) return right;
    if (left.value.kind === "state" && right.value.kind === "state") {
      return err({ offset: start.offset, message: "one side has to be a resource" });
    }
    const kind = sign === "==" ? "equal" : "differ";
    return ok({ kind, left: left.value, right: right.value });
  }

  /** `cluster()` stands in the vendor's own rules, and files carry copies of them. */
  #call(): Parsed<FailoverExpression> {
    const name = this.#token.text;
    if (name !== "cluster") return this.#fail(`${quote(name)} is not known, only cluster()`);
    this.#next += 2;
    const closed = this.#expect(")");
    return closed.ok ? ok({ kind: "call", name }) : closed;
  }

  #operand(): Parsed<FailoverOperand> {
    const token = this.#word("expected a resource or a state");
    if (!token.ok) return token;
    const { text, offset } = token.value;
    const state = stateOf(text);
    if (state !== null) return ok({ kind: "state", state });
    const resource = resourceOf(text);
    if (resource !== null) return ok({ kind: "resource", resource });
    const hint = didYouMean(text, STATES);
    return err({ offset, message: `${quote(text)} is neither class.id nor a state${hint}` });
  }

  #action(): Parsed<FailoverAction> {
    const token = this.#word("expected an action");
    if (!token.ok) return token;
    const { text, offset } = token.value;
    if (this.#token.text === "=") return this.#assignment(text, offset);
    const kind = ACTIONS.find((action) => action === text);
    if (kind === undefined) {
      const hint = didYouMean(text, ACTIONS);
      return err({ offset, message: `no action is named ${quote(text)}${hint}` });
    }
    for (const expected of ["(", ")"]) {
      const found = this.#expect(expected);
      if (!found.ok) return found;
    }
    return ok({ kind });
  }

  #assignment(text: string, offset: number): Parsed<FailoverAction> {
    this.#next += 1;
    const value = this.#word("expected a state");
    if (!value.ok) return value;
    const [resource, state] = [resourceOf(text), stateOf(value.value.text)];
    if (resource === null) return err({ offset, message: `${quote(text)} is not class.id` });
    if (state !== null) return ok({ kind: "assign", resource, state });
    const hint = didYouMean(value.value.text, STATES);
    const message = `${quote(value.value.text)} is not a state${hint}`;
    return err({ offset: value.value.offset, message });
  }

  #word(complaint: string): Parsed<Token> {
    const token = this.#token;
    if (token.kind !== "word") return this.#fail(complaint);
    this.#next += 1;
    return ok(token);
  }

  #expect(text: string): Parsed<Token> {
    const token = this.#token;
    if (token.text !== text) return this.#fail(`expected ${quote(text)}`);
    this.#next += 1;
    return ok(token);
  }

  #fail(complaint: string): { ok: false; error: RuleError } {
    const { kind, text, offset } = this.#token;
    const found = kind === "end" ? "the end" : quote(text);
    return err({ offset, message: `${complaint}, found ${found}` });
  }
}

const stateOf = (text: string): ResourceState | null =>
  STATES.find((state) => state === text) ?? null;

function resourceOf(text: string): ResourceReference | null {
  const [, scope, name, id] =
    /^(?:(local|remote)\.)?([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z0-9_?*][A-Za-z0-9_.?*-]*)$/u.exec(
      text,
    ) ?? [];
  if (name === undefined || id === undefined) return null;
  return { scope: scope === "remote" ? "remote" : "local", class: name, id };
}
