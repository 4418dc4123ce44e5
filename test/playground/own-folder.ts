/** The playground's folder: its own alone, and never somebody's files, as it is removed at the end. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MARK = "playground.json";

/** Takes the folder for this process. A text says why it may not, and what to do. */
export function takeFolder(folder: string): string | null {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const mark = join(folder, MARK);
  if (!existsSync(mark)) {
    if (readdirSync(folder).length > 0) {
      return `${folder} holds files that are not the playground's: choose another --folder`;
    }
  } else {
    const owner: Owner = JSON.parse(readFileSync(mark, "utf8"));
    if (startOf(owner.id) === owner.start) {
      return `process ${owner.id} runs a playground in ${folder} already: end it, or choose another --folder (and --network, --port, --service-port, --control-port)`;
    }
  }
  const self: Owner = { id: process.pid, start: startOf(process.pid) ?? "" };
  writeFileSync(mark, JSON.stringify(self));
  return null;
}

/** Removes the folder of a playground that has ended. */
export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });

type Owner = { readonly id: number; readonly start: string };

/** When a process began (proc(5): field 22 of stat): its number alone may be another's by now. */
function startOf(id: number): string | null {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
