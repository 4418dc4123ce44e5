/** Searches from one of the starts, beside the main thread (explore.ts). */
import { parentPort, workerData } from "node:worker_threads";
import { Search } from "./search.ts";

parentPort?.postMessage(new Search(workerData).run());
