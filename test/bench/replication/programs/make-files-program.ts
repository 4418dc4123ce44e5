/**
 * COUNT files of 1 KiB below FOLDER, a thousand in each folder; nothing where they are already.
 *
 *   node make-files-program.ts FOLDER COUNT      {"made"}
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";

const FILES_PER_FOLDER = 1000;
const [folder = "", count = ""] = process.argv.slice(2);
const done = `${folder}/done-${count}`;
let made = 0;
if (!existsSync(done)) {
  for (; made < Number(count); made += 1) {
    const path = `${folder}/${Math.floor(made / FILES_PER_FOLDER)}`;
    if (made % FILES_PER_FOLDER === 0) mkdirSync(path, { recursive: true });
    writeFileSync(`${path}/${made}`, `file ${made}\n`.padEnd(1024, "."));
  }
  writeFileSync(done, "");
}
console.log(JSON.stringify({ made }));
