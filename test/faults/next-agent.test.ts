/** Agents that die or are replaced, with leases that outlast the start of the next one anywhere. */
import { takeoverRows } from "./agent-rows.ts";
import { runRows } from "./run-rows.ts";

runRows(takeoverRows, { timers: "tolerant" });
