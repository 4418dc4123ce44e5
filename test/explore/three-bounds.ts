import type { Budget } from "./budgets.ts";

/** What may go wrong in one story of three nodes, one clock for all: any one fault. */
export const THREE_BOUNDS: { readonly epochsMax: number; readonly budget: Budget } = {
  epochsMax: 3,
  budget: { faults: 1, crashes: 1, strays: 1, lostReplies: 1, forces: 1, orders: 1 },
};
