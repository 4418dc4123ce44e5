/**
 * 4 KiB at a random place of FILE, then fsync, again and again while COMMAND runs and at least for
 * half a second: how long that took.
 *
 *   node latency-program.ts FILE COMMAND...      {"p99Ms", "maxMs", "count"}
 */
import { spawn } from "node:child_process";
import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { percentile } from "../../statistics.ts";

const LEAST_MS = 500;
const MOST_MS = 60_000;
const BLOCK_BYTES = 4096;

const [file = "", command = "", ...args] = process.argv.slice(2);
const block = Buffer.alloc(BLOCK_BYTES, "mirrorfarm");
const fd = openSync(file, "r+");
const blocks = Math.floor(fstatSync(fd).size / BLOCK_BYTES);
const tookMs: number[] = [];
const startMs = performance.now();
const child = spawn(command, args, { stdio: "ignore" });
let exitCode: number | null = null;
child.on("exit", (code) => {
  exitCode = code ?? 128;
});
for (;;) {
  const beganMs = performance.now();
  writeSync(fd, block, 0, BLOCK_BYTES, Math.floor(Math.random() * blocks) * BLOCK_BYTES);
  fsyncSync(fd);
  const endedMs = performance.now();
  tookMs.push(endedMs - beganMs);
  if (exitCode !== null && endedMs - startMs > LEAST_MS) break;
  if (endedMs - startMs > MOST_MS) throw new Error(`${command} did not end`);
  await setImmediate();
}
closeSync(fd);
if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}`);
const p99Ms = percentile(tookMs, 99);
console.log(JSON.stringify({ p99Ms, maxMs: Math.max(...tookMs), count: tookMs.length }));
