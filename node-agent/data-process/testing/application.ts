/**
 * An application that checks every call it makes on the directory it is given, until its standard
 * input ends. None of its calls may be done twice, be left out, or fail: each round depends on what
 * the one before left.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

const [directory = ""] = process.argv.slice(2);
const at = (name: string): string => join(directory, name);
let isOver = false;
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();

const log = openSync(at("log"), "a");
/** Has no name: it can only be reached by whoever has it open. */
const hidden = openSync(at("hidden"), "w+");
unlinkSync(at("hidden"));

let round = 0;
for (; !isOver; round += 1) {
  mkdirSync(at(`d${round}`));
  // O_EXCL: fails if it was done before.
  writeFileSync(at(`d${round}/f`), `${round}`, { flag: "wx" });
  renameSync(at(`d${round}`), at(`e${round}`));
  writeSync(log, `${round}\n`);
  if (round % 8 === 0) fsyncSync(log);
  linkSync(at(`e${round}/f`), at(`l${round}`));
  if (statSync(at(`l${round}`)).nlink !== 2) throw new Error(`round ${round}: the link count`);
  writeSync(hidden, "x");
  if (round >= 10) {
    unlinkSync(at(`e${round - 10}/f`));
    rmdirSync(at(`e${round - 10}`));
    unlinkSync(at(`l${round - 10}`));
  }
  await turn();
}
fsyncSync(hidden);
closeSync(log);
const expected = Array.from({ length: round }, (_, index) => `${index}\n`).join("");
if (readFileSync(at("log"), "utf8") !== expected) throw new Error("the log is not as written");
if (existsSync(at("hidden"))) throw new Error("a file without a name has one");
process.stdout.write(`${round}\n`);
