/**
 * The rules of `<failover>`, as data. `if ( expr ) then action` in the file becomes a tree that
 * `model/checking` evaluates; nothing of the user's text is ever run.
 */

/** What a rule may ask for; `assign` is the vendor-internal form `class.id = state`. */
export type FailoverAction =
  | { readonly kind: "stop" | "stopstart" | "wait" | "restart" | "swap" }
  | {
      readonly kind: "assign";
      readonly resource: ResourceReference;
      readonly state: ResourceState;
    };

/** The value of a resource; `unknown`: a remote value that cannot be had. */
export type ResourceState = "init" | "down" | "up" | "unknown";

/** `[local.|remote.]class.id`. */
export type ResourceReference = {
  readonly scope: "local" | "remote";
  readonly class: string;
  /** A name, `?` (any resource of the class) or `*` (all of them). */
  readonly id: string;
};

/** One side of `==`. */
export type FailoverOperand =
  | { readonly kind: "resource"; readonly resource: ResourceReference }
  | { readonly kind: "state"; readonly state: ResourceState };

/** A condition. A resource never stands alone: it is compared with a state or another resource. */
export type FailoverExpression =
  | { readonly kind: "and" | "or"; readonly terms: readonly FailoverExpression[] }
  | { readonly kind: "not"; readonly term: FailoverExpression }
  | {
      readonly kind: "equal" | "differ";
      readonly left: FailoverOperand;
      readonly right: FailoverOperand;
    }
  /** `cluster()`: vendor-internal; understood, never true here. */
  | { readonly kind: "call"; readonly name: string };

/** `label: if ( when ) then action;` */
export type FailoverRule = {
  readonly label: string;
  readonly when: FailoverExpression;
  readonly action: FailoverAction;
};

/** `<failover>`: the text is kept as written, so that a configuration can be shown and saved. */
export type FailoverConfig = {
  /** true: added to the default rules; false: instead of them. */
  readonly extendsDefaults: boolean;
  readonly periodMs: number;
  /** An action must stay the same for this long before it is run. */
  readonly handleTimeMs: number;
  readonly text: string;
  /** Rules in Lua are understood as such and not acted on; `rules` holds the others. */
  readonly hasLua: boolean;
  readonly rules: readonly FailoverRule[];
};
