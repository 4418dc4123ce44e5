/** What happens where no agent comes in time, or nobody is left to answer. */
import { awayRows, takeoverRows } from "./agent-rows.ts";
import { pick } from "./row.ts";
import { runRows } from "./run-rows.ts";

runRows([...pick([], takeoverRows), ...awayRows]);
