/**
 * Whether a node that returns is brought up to date by what changed, or by comparing everything.
 * Pure; the answer's sentence is what people see in the progress and the log.
 */

import { type ChangeRecord, type PointId, RECORD_LIMITS } from "./change-record.ts";
import { DirtySet, type DirtySnapshot, EVERYTHING } from "./dirty-set.ts";

/** What the returning node's disk says about itself. */
export type TargetRecord =
  | {
      readonly kind: "record";
      /** It surely holds everything up to here. */
      readonly point: PointId;
      /** Where it may have more than that, of its own: operations under way when it died. */
      readonly hot: DirtySnapshot;
    }
  /** Missing or in doubt, and why. */
  | { readonly kind: "none"; readonly why: string };

export type ResyncPlan = {
  readonly kind: "delta" | "full";
  /** One sentence's worth, for people. */
  readonly why: string;
  /** What the first pass looks at. */
  readonly places: DirtySnapshot;
};

const full = (why: string): ResyncPlan => ({ kind: "full", why, places: EVERYTHING });

/** `own` is the record of the node whose copy counts, `target` what the returning one offers. */
export function planResync(
  own: Pick<ChangeRecord, "whyNone" | "since">,
  target: TargetRecord,
): ResyncPlan {
  if (target.kind === "none") return full(`the returning node: ${target.why}`);
  if (own.whyNone !== null) return full(`the node that serves: ${own.whyNone}`);
  const changes = own.since(target.point);
  if (changes === null) return full("the records of the two nodes begin at different points");
  const places = new DirtySet(RECORD_LIMITS);
  places.add(changes);
  places.add(target.hot);
  const joined = places.snapshot();
  if (joined.everything) return full("more changed than a record can hold");
  return {
    kind: "delta",
    why: "what was touched since both copies were last equal",
    places: joined,
  };
}
