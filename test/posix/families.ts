/** The files of cases/, read. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Family, parseFamily } from "./language/parse.ts";

const FOLDER = path.join(import.meta.dirname, "cases");

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".cases"));

export const FAMILIES: readonly Family[] = files.sort().map((name) => {
  try {
    return parseFamily(readFileSync(path.join(FOLDER, name), "utf8"));
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : error}`);
  }
});
