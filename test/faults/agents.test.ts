/** What happens to the product's own processes. */
import { agentRows } from "./agent-rows.ts";
import { runRows } from "./run-rows.ts";

runRows(agentRows);
