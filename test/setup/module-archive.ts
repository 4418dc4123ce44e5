import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ModuleFiles } from "#model/archive/module-files.ts";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";

/** The example modules of the playground. */
export const MODULES_FOLDER = join(import.meta.dirname, "..", "playground", "modules");

/**
 * Packs a folder with `conf/` and `bin/` into a `.safe` file. `macros` replaces the values of
 * macros that the configuration defines, as an administrator would by hand.
 */
export async function packModule(
  folder: string,
  macros: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const files: ModuleFiles = ["bin", "conf"].flatMap((part) =>
    readdirSync(join(folder, part)).map((name) => {
      const path = `${part}/${name}`;
      const bytes = readFileSync(join(folder, path));
      const isExecutable = (statSync(join(folder, path)).mode & 0o100) !== 0;
      return {
        path,
        mode: isExecutable ? 0o755 : 0o644,
        bytes: path === "conf/userconfig.xml" ? withMacros(bytes, macros) : bytes,
      } as const;
    }),
  );
  return await writeModuleArchive(files);
}

function withMacros(bytes: Buffer, macros: Readonly<Record<string, string>>): Uint8Array {
  let text = bytes.toString("utf8");
  for (const [name, value] of Object.entries(macros)) {
    const pattern = new RegExp(`(<macro name="${name}" value=")[^"]*(")`);
    if (!pattern.test(text)) throw new Error(`the module defines no macro ${name}`);
    text = text.replace(pattern, `$1${value}$2`);
  }
  return Buffer.from(text);
}
