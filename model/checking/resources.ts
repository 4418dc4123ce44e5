/**
 * Checking: what a module's checkers found, and what follows from it.
 *
 * A checker only reports: a resource such as `tcp.web` is up or down. The rules in `rules.ts` say
 * what that means for the module, and `decide-checks.ts` turns both into at most one action at a
 * time. So a fault leads to the same action whether the rule came with the product, from a
 * checker's `action`, or from the module's own `<failover>` text.
 */
import type { ResourceReference, ResourceState } from "../module/failover/rule.ts";

/** Resources by name, `class.id`. One that is absent has no result yet. */
export type Resources = Readonly<Record<string, ResourceState>>;

/** What rules can see: this node's resources, and the peer's as it last told them (null: nothing). */
export type ResourceView = { readonly local: Resources; readonly remote: Resources | null };

/** The values of every resource that a reference means: one for a name, all for `?` and `*`. */
export function valuesOf(
  view: ResourceView,
  reference: ResourceReference,
): readonly ResourceState[] {
  const { scope, id } = reference;
  const name = `${reference.class}.${id}`;
  const resources = scope === "local" ? view.local : view.remote;
  if (resources === null) return ["unknown"];
  if (id !== "?" && id !== "*") return [resources[name] ?? missing(scope)];
  const prefix = `${reference.class}.`;
  return Object.entries(resources)
    .filter(([key]) => key.startsWith(prefix))
    .map(([, state]) => state);
}

/** A local resource that nobody has set is one whose first result is awaited. */
const missing = (scope: "local" | "remote"): ResourceState =>
  scope === "local" ? "init" : "unknown";
