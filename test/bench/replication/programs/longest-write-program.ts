/**
 * Plain 4 KiB writes to an existing file, one every few milliseconds.
 *
 *   node longest-write-program.ts FILE MILLISECONDS      {"longestMs"}
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const PAUSE_MS = 5;
const [file = "", forMs = ""] = process.argv.slice(2);
const block = Buffer.alloc(4096, "mirrorfarm");
const fd = openSync(file, "r+");
const endMs = performance.now() + Number(forMs);
let longestMs = 0;
while (performance.now() < endMs) {
  const startMs = performance.now();
  writeSync(fd, block, 0, block.length, 0);
  longestMs = Math.max(longestMs, performance.now() - startMs);
  await setTimeout(PAUSE_MS);
}
console.log(JSON.stringify({ longestMs }));
