/** What the workloads unpack and clone: a made-up source tree, the same in every run. */
import { mkdirSync, writeFileSync } from "node:fs";
import { must } from "../../lab/command.ts";

const FOLDERS = 200;
const FILES_PER_FOLDER = 11;
/** Some files are long, most are short: 15 MB in all. */
const LINES = [20, 20, 40, 40, 60, 80, 100, 150, 200, 300, 500];

export type SourceTree = { readonly tar: string; readonly repository: string };

/** Makes `FOLDER/tree`, its archive and its repository. */
export async function makeSourceTree(folder: string): Promise<SourceTree> {
  const tree = `${folder}/tree`;
  for (let one = 0; one < FOLDERS; one += 1) {
    const path = `${tree}/part-${one % 20}/folder-${one}`;
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file += 1) {
      const lines = Array.from({ length: LINES[file] ?? 1 }, (_, line) =>
        textLine(one, file, line),
      );
      writeFileSync(`${path}/file-${file}.txt`, `${lines.join("\n")}\n`);
    }
  }
  const tar = `${folder}/tree.tar`;
  await must("tar", ["-cf", tar, "-C", tree, "."]);
  const git = (...args: readonly string[]) =>
    must("git", ["-C", tree, ...args], {
      environment: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    });
  await git("init", "-q");
  await git("add", "-A");
  const who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
  await git(...who, "commit", "-q", "-m", "the tree");
  return { tar, repository: tree };
}

/** Different in each place, so that nothing can be shared or compressed away. */
const textLine = (folder: number, file: number, line: number): string => {
  const number = Math.imul(folder * 7919 + file * 104_729 + line, 2_654_435_761) >>> 0;
  return `  const value${number.toString(36)} = compute(${number}, "${number.toString(2)}");`;
};
