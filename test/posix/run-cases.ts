/** Runs the cases in the directory given and prints what they saw: a process of its own, so that it can be killed. */
import { runCases } from "./cases.ts";

process.stdout.write(JSON.stringify(runCases(process.argv[2] ?? "")));
