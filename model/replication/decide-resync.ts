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
  /** Missing or in doubt, and why, as the end of a sentence. */
  | { readonly kind: "none"; readonly why: string };

export type ResyncPlan = {
  readonly kind: "delta" | "full";
  /** One sentence's worth, for people. */
  readonly why: string;
  /** What the first pass looks at. */
  readonly places: DirtySnapshot;
};

const full = (why: string): ResyncPlan => ({ kind: "full", why, places: EVERYTHING });

/** `own` is the record of the node whose copy counts. */
export function planResync(o: {
  readonly own: Pick<ChangeRecord, "whyNone" | "since">;
  readonly target: TargetRecord;
  /** A person asked for a full comparison. */
  readonly isFullAsked: boolean;
}): ResyncPlan {
  if (o.isFullAsked) return full("a person asked for it");
  if (o.target.kind === "none") return full(`of the returning node ${o.target.why}`);
  if (o.own.whyNone !== null) return full(`of the node that serves ${o.own.whyNone}`);
  const own = o.own.since(o.target.point);
  if (own === null) return full("the records of the two nodes begin at different points");
  if (own.everything) return full("more changed than a record can hold");
  if (o.target.hot.everything) return full("more changed there than a record can hold");
  const places = new DirtySet(RECORD_LIMITS);
  places.add(own);
  places.add(o.target.hot);
  const joined = places.snapshot();
  if (joined.everything) return full("more changed on both than a record can hold");
  return { kind: "delta", why: `since durable point ${o.target.point.slice(-24)}`, places: joined };
}
