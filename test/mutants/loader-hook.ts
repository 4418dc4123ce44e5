/**
 * `node --import test/mutants/loader-hook.ts ...` with MIRRORFARM_MUTANT set: runs whatever follows
 * with that mutant of the product. Fails if the mutant's file was never loaded.
 */
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { mutate } from "./mutant.ts";
import { MUTANTS } from "./table.ts";

const id = process.env["MIRRORFARM_MUTANT"] ?? "";
const mutant = MUTANTS.find((one) => one.id === id);
if (mutant === undefined) throw new Error(`no mutant "${id}"`);
const path = fileURLToPath(new URL(`../../${mutant.file}`, import.meta.url));
let isLoaded = false;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith("file:") || fileURLToPath(url) !== path) return loaded;
    const { source } = loaded;
    if (source === null || source === undefined) throw new Error(`${path} has no source`);
    isLoaded = true;
    const text = typeof source === "string" ? source : new TextDecoder().decode(source);
    return { ...loaded, source: mutate(mutant, text) };
  },
});

process.on("exit", () => {
  if (isLoaded) return;
  console.error(`${mutant.id}: ${mutant.file} was never loaded`);
  process.exitCode = 4;
});
