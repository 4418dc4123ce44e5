import type { Budget } from "./budgets.ts";

type Bounds = { readonly epochsMax: number; readonly budget: Budget };

/**
 * How much may go wrong in one story. With one clock, whatever the clocks are for is looked at; with
 * free ones, what must hold without any.
 */
export const DEFAULT_BOUNDS: Readonly<Record<"together" | "free", Bounds>> = {
  together: {
    epochsMax: 3,
    budget: { faults: 2, crashes: 2, strays: 2, lostReplies: 1, forces: 1, orders: 1 },
  },
  free: {
    epochsMax: 3,
    budget: { faults: 1, crashes: 1, strays: 1, lostReplies: 1, forces: 1, orders: 0 },
  },
};
