/** What happens to the disks with the data. */
import { diskRows } from "./disk-rows.ts";
import { runRows } from "./run-rows.ts";

runRows(diskRows, { dataDiskMiB: 96 });
