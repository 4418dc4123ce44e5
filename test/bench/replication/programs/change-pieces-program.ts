/**
 * Changes COUNT pieces of BYTES each, evenly spread over FILE, then fsync.
 *
 *   node change-pieces-program.ts FILE COUNT BYTES      {"bytes"}
 */
import { randomFillSync } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from "node:fs";

const [file = "", count = "", bytes = ""] = process.argv.slice(2);
const piece = Buffer.alloc(Number(bytes));
const fd = openSync(file, "r+");
const pieces = Math.floor(fstatSync(fd).size / piece.length);
for (let one = 0; one < Number(count); one += 1) {
  const at = Math.floor((one * pieces) / Number(count)) * piece.length;
  writeSync(fd, randomFillSync(piece), 0, piece.length, at);
}
fsyncSync(fd);
closeSync(fd);
console.log(JSON.stringify({ bytes: Number(count) * piece.length }));
