/**
 * Create, write 4 KiB, fsync if asked, close, unlink; COUNT times, or for SECONDS.
 *
 *   node small-files-program.ts FOLDER fsync|plain COUNT SECONDS      {"perSecond"}
 */
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";

const [folder = "", how = "", count = "", seconds = ""] = process.argv.slice(2);
const block = Buffer.alloc(4096, "mirrorfarm");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const startMs = performance.now();
const endMs = startMs + Number(seconds) * 1000;
let done = 0;
for (; done < Number(count) && performance.now() < endMs; done += 1) {
  const path = `${folder}/${done}`;
  const fd = openSync(path, "w");
  writeSync(fd, block);
  if (how === "fsync") fsyncSync(fd);
  closeSync(fd);
  unlinkSync(path);
}
const perSecond = (done * 1000) / (performance.now() - startMs);
rmSync(folder, { recursive: true });
console.log(JSON.stringify({ perSecond }));
