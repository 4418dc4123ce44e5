/**
 * The agent of a VM: `node node-agent/main.ts [--state DIR] …`. Normally started by the guard
 * (guard/guard-main.ts), which outlives it. This file only makes the start quick, as leases run out
 * while an agent that died is started again; what it starts stands in agent-main.ts.
 */
import { mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { readSettings } from "./settings.ts";

/** Compiled code of an earlier start, for this agent, its threads and its data processes. */
function reuseCompiledCode(stateDirectory: string): void {
  try {
    // Only its owner may write there: whatever lies in it is run.
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  } catch {
    // The agent itself says what is wrong with its directory.
    return;
  }
  const folder = join(stateDirectory, "code-cache");
  process.env["NODE_COMPILE_CACHE"] = folder;
  enableCompileCache(folder);
}

const settings = readSettings(process.argv.slice(2));
if (settings.ok) reuseCompiledCode(settings.value.stateDirectory);
await import("./agent-main.ts");
