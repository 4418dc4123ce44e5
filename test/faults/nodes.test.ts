/** What happens to the nodes and to the links between them. */
import { cutRows } from "./cut-rows.ts";
import { runRows } from "./run-rows.ts";
import { standStillRows } from "./stand-still-rows.ts";

runRows([...standStillRows, ...cutRows]);
