/**
 * Files number FROM to below TO, of 1 KiB, below FOLDER, a thousand in each folder.
 *
 *   node make-files-program.ts FOLDER FROM TO      {"made"}
 */
import { mkdirSync, writeFileSync } from "node:fs";

const FILES_PER_FOLDER = 1000;
const [folder = "", from = "", to = ""] = process.argv.slice(2);
for (let one = Number(from); one < Number(to); one += 1) {
  const path = `${folder}/${Math.floor(one / FILES_PER_FOLDER)}`;
  if (one % FILES_PER_FOLDER === 0) mkdirSync(path, { recursive: true });
  writeFileSync(`${path}/${one}`, `file ${one}\n`.padEnd(1024, "."));
}
console.log(JSON.stringify({ made: Number(to) - Number(from) }));
