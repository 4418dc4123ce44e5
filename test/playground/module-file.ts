/**
 * A module file of somebody's own in the playground. It is judged here before anything starts, as
 * the nodes would judge it, and fitted to one machine: both nodes share its file system and its
 * network, so directories and addresses must be each node's own, and the playground's proxy stands
 * for the virtual address.
 */
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { formatModuleError, loadModule } from "#model/archive/load-module.ts";
import { CONFIGURATION_PATH } from "#model/archive/module-files.ts";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { ModuleName } from "#model/contract/common.ts";
import type { MirrorConfig } from "#model/module/config.ts";
import { formatProblem } from "#model/module/problem.ts";
import { virtualAddressesOf } from "#model/module/vips.ts";

export type ModuleFile = {
  readonly name: string;
  readonly archive: Uint8Array;
  /** Where it serves: of its first tcp checker; null when it has none. */
  readonly port: number | null;
  /** For people: what was understood but not acted on, and what is different here. */
  readonly notes: readonly string[];
};
type Read = { readonly ok: true; readonly value: ModuleFile } | Refused;
type Refused = { readonly ok: false; readonly text: string };

/** What each node's agent has in its environment; here only to see where they were used. */
const OF_THE_NODE = new Map([
  ["FARM_DATA", "/srv/farm-data-of-a-node"],
  ["FARM_RUN", "/srv/farm-run-of-a-node"],
  ["FARM_ADDRESS", "127.0.0.11"],
]);

/** Whoever kills a node to watch waits this long before wondering. */
const PATIENCE_MS = 5_000;

const refused = (text: string): Refused => ({ ok: false, text });

/** `file` as a person typed it, in the folder `from`. */
export async function readModuleFile(file: string, from: string): Promise<Read> {
  const path = resolve(from, file);
  const bytes = readBytes(path);
  if (typeof bytes === "string") return refused(`--module ${file}: ${bytes}`);
  const name = basename(path).replace(/\.safe$/, "");
  if (!ModuleName.safeParse(name).success) {
    return refused(
      `--module ${file}: "${name}" is no name for a module: it takes letters, digits and -; rename the file`,
    );
  }
  const environment = new Map([...ownEnvironment(), ...OF_THE_NODE]);
  const loaded = await loadModule(bytes, { environment, isOnNode: true, allowLoopback: true });
  if (!loaded.ok) {
    const text = formatModuleError(loaded.error);
    return refused(`${file} cannot be used:\n${text}\ndocs/MODULES.md says what a file may hold`);
  }
  const { config, warnings, files } = loaded.value;
  if (config.mode !== "mirror") {
    return refused(`${file} is a ${config.mode} module; only mirror modules run so far`);
  }
  const unfit = whyUnfit(config);
  if (unfit !== null) return refused(`${file} does not fit on one machine: ${unfit}`);
  const addresses = virtualAddressesOf(config).map(({ addr }) => addr);
  const { timeoutMs } = config.heart;
  const notes = [
    ...warnings.map(formatProblem),
    ...(timeoutMs === null || timeoutMs < PATIENCE_MS
      ? []
      : [`a killed node is missed after ${timeoutMs / 1000} s only, as its <heart timeout> says`]),
    ...(addresses.length === 0
      ? []
      : [`the playground's own address stands for the virtual address ${addresses.join(", ")}`]),
  ];
  const fitted = files.map((one) =>
    one.path === CONFIGURATION_PATH ? { ...one, bytes: withoutVip(one.bytes) } : one,
  );
  const archive = addresses.length === 0 ? bytes : await writeModuleArchive(fitted);
  return { ok: true, value: { name, archive, port: portOf(config), notes } };
}

function readBytes(path: string): Uint8Array | string {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT") return `there is no file ${path}`;
    if (code === "EISDIR") {
      const packing = `(cd ${path} && zip -r ../${basename(path)}.safe conf bin)`;
      return `${path} is a folder; a module is a zip archive of its conf and bin: ${packing}`;
    }
    return `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What the nodes' agents will have from here. */
const ownEnvironment = (): readonly (readonly [string, string])[] =>
  Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );

function whyUnfit(config: MirrorConfig): string | null {
  return whySharedDirectory(config) ?? whyNowhere(config);
}

/** A virtual address is on no interface here, so a checker of it would only ever see it down. */
function whyNowhere(config: MirrorConfig): string | null {
  const addresses = virtualAddressesOf(config).map(({ addr }) => addr);
  const lost = config.checks.find((check) => "addr" in check && addresses.includes(check.addr));
  if (lost === undefined) return null;
  return (
    `its checker ${lost.kind}.${lost.ident} looks at the virtual address, which is on no interface ` +
    "here. Write %FARM_ADDRESS%, which is each node's own"
  );
}

function whySharedDirectory({ rfs }: MirrorConfig): string | null {
  const own = OF_THE_NODE.get("FARM_DATA") ?? "";
  const isOwn = (dir: string) => dir === own || dir.startsWith(`${own}/`);
  const shared = (rfs?.replicated ?? []).find(({ dir }) => !isOwn(dir));
  if (shared === undefined) return null;
  return (
    `${shared.dir} would be the directory of both nodes. Write %FARM_DATA%/${basename(shared.dir)}, ` +
    `which is each node's own, and hand it to the scripts with ` +
    `<var name="DATA" value="%FARM_DATA%/${basename(shared.dir)}"/> in <user>`
  );
}

/** The first tcp checker looks where the service is. */
function portOf({ checks }: MirrorConfig): number | null {
  for (const check of checks) if (check.kind === "tcp") return check.port;
  return null;
}

/** The element goes, and its lines stay: places in later messages are those of the owner's file. */
function withoutVip(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString("utf8");
  const element = /<vip\b(?:[^>]*\/>|[\s\S]*?<\/vip\s*>)/g;
  return Buffer.from(text.replace(element, (vip) => vip.replace(/[^\n]/g, "")));
}
