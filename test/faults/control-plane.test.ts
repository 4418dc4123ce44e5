/** What the control plane does as a voter, and who may lead when both machines were off. */
import { bootRows } from "./boot-rows.ts";
import { runRows } from "./run-rows.ts";
import { storeRows, witnessRows } from "./witness-rows.ts";

runRows([...witnessRows, ...bootRows, ...storeRows]);
