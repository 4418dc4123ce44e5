/**
 * The two workloads that applications feel first, each for a number of seconds, in one thread:
 *
 *   node test/bench/file-writer.ts FOLDER SECONDS     one JSON line {"syncedWrites", "creates"}
 *
 * `syncedWrites`: 4 KiB at a random place of an existing file, then fsync, per second.
 * `creates`: create a file, write 4 KiB, close, per second (nothing is synced).
 */
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const [folder = ".", seconds = "3"] = process.argv.slice(2);
const BLOCK_BYTES = 4096;
const FILE_BLOCKS = 4096;
const block = Buffer.alloc(BLOCK_BYTES, "mirrorfarm");

function perSecond(doOne: (n: number) => void): number {
  const startMs = performance.now();
  const endMs = startMs + Number(seconds) * 1000;
  let count = 0;
  for (; performance.now() < endMs; count += 1) doOne(count);
  return Math.round((count * 1000) / (performance.now() - startMs));
}

const work = join(folder, "bench");
mkdirSync(work, { recursive: true });
const file = openSync(join(work, "file"), "w");
// Written before: what is measured is not the allocation of blocks.
for (let n = 0; n < FILE_BLOCKS; n += 1) writeSync(file, block);
fsyncSync(file);
const syncedWrites = perSecond(() => {
  writeSync(file, block, 0, BLOCK_BYTES, Math.floor(Math.random() * FILE_BLOCKS) * BLOCK_BYTES);
  fsyncSync(file);
});
closeSync(file);
const creates = perSecond((n) => {
  const one = openSync(join(work, `small-${n}`), "w");
  writeSync(one, block);
  closeSync(one);
});
rmSync(work, { recursive: true });
console.log(JSON.stringify({ syncedWrites, creates }));
