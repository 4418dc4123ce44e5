/**
 * Installed modules on this node's disk, one folder each:
 *
 *   modules/NAME/installed.json     which version runs, and the hash of its archive
 *   modules/NAME/VERSION.safe       the archive as it came
 *   modules/NAME/VERSION/{conf,bin} its files, unpacked
 *   modules/NAME/quorum.json        what the quorum protocol remembers (not of this file)
 *
 * A version is unpacked completely and flushed before `installed.json` names it, so a crash leaves
 * the old one or the new one. What an archive holds is judged in model/archive, before anything
 * here is written.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { formatModuleError, type LoadedModule, loadModule } from "#model/archive/load-module.ts";
import { ModuleName, Sha256Hex } from "#model/contract/common.ts";
import type { ModuleConfig } from "#model/module/config.ts";
import { formatProblem } from "#model/module/problem.ts";
import type { TimerProfile } from "#model/quorum/timers.ts";
import type { ModuleId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { syncDirectory, writeFileDurably } from "../adapters/atomic-file.ts";

/** A module that is on this node's disk and whose configuration holds here. */
export type InstalledModule = {
  readonly moduleId: ModuleId;
  readonly version: number;
  readonly sha256: string;
  readonly config: ModuleConfig;
  /** Holds `conf/` and `bin/`. */
  readonly folder: string;
  readonly warnings: readonly string[];
};

/** What the control plane says of a module's archive. */
export type ArchiveReference = {
  readonly id: ModuleId;
  readonly version: number;
  readonly sha256: string;
};

const Installed = z.strictObject({ format: z.literal(1), version: z.int(), sha256: Sha256Hex });

export class ModuleStore {
  readonly #folder: string;
  readonly #environment: ReadonlyMap<string, string>;

  /** `environment` gives values to `%X%` that no macro of the file defines. */
  constructor(stateDirectory: string, environment: ReadonlyMap<string, string>) {
    this.#folder = join(stateDirectory, "modules");
    this.#environment = environment;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** The folder of a module: its logs and the quorum file are kept there too. */
  folder(moduleId: ModuleId): string {
    return join(this.#folder, moduleId);
  }

  /** Every module that was installed before; one that cannot be read is told, not dropped. */
  async list(): Promise<readonly Result<InstalledModule, string>[]> {
    const names = readdirSync(this.#folder).filter((name) => ModuleName.safeParse(name).success);
    const found = names.filter((name) => existsSync(join(this.#folder, name, "installed.json")));
    return await Promise.all(found.map((name) => this.#read(name)));
  }

  /** Checks, unpacks and names the new version. Nothing changes unless all of it is good. */
  async install(
    reference: ArchiveReference,
    archive: Uint8Array,
    timers: TimerProfile,
  ): Promise<Result<InstalledModule, string>> {
    const loaded = await this.#load(archive, timers);
    if (!loaded.ok) return err(`${reference.id}: ${loaded.error}`);
    if (loaded.value.sha256 !== reference.sha256) {
      return err(`${reference.id}: the archive is not the one that was announced`);
    }
    const { id, version, sha256 } = reference;
    const folder = this.folder(id);
    const unpacked = join(folder, String(version));
    unpack(loaded.value, unpacked);
    writeFileDurably(join(folder, `${version}.safe`), archive);
    const record = JSON.stringify({ format: 1, version, sha256 });
    writeFileDurably(join(folder, "installed.json"), record);
    this.#removeOthers(folder, version);
    return ok(installed(id, version, unpacked, loaded.value));
  }

  /** Forgets the module's files; its logs and its quorum file stay for a later installation. */
  uninstall(moduleId: ModuleId): void {
    const folder = this.folder(moduleId);
    rmSync(join(folder, "installed.json"), { force: true });
    syncDirectory(folder);
    this.#removeOthers(folder, null);
  }

  async #read(moduleId: ModuleId): Promise<Result<InstalledModule, string>> {
    const folder = this.folder(moduleId);
    try {
      const text = readFileSync(join(folder, "installed.json"), "utf8");
      const { version, sha256 } = Installed.parse(JSON.parse(text));
      const loaded = await this.#load(readFileSync(join(folder, `${version}.safe`)));
      if (!loaded.ok) return err(`${moduleId}: ${loaded.error}`);
      if (loaded.value.sha256 !== sha256) return err(`${moduleId}: its archive was changed`);
      const unpacked = join(folder, String(version));
      // What runs is what the archive holds, whatever happened to this disk meanwhile.
      if (!isUnpacked(loaded.value, unpacked)) unpack(loaded.value, unpacked);
      return ok(installed(moduleId, version, unpacked, loaded.value));
    } catch (error) {
      return err(`${moduleId}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** A version that is here already is judged by its cluster's timers when it is opened. */
  async #load(archive: Uint8Array, timers?: TimerProfile): Promise<Result<LoadedModule, string>> {
    const loaded = await loadModule(archive, {
      environment: this.#environment,
      isOnNode: true,
      ...(timers === undefined ? {} : { timers }),
    });
    return loaded.ok ? loaded : err(formatModuleError(loaded.error));
  }

  #removeOthers(folder: string, version: number | null): void {
    for (const name of readdirSync(folder)) {
      const isOfVersion = /^[0-9]+(\.safe)?$/.test(name);
      const isKept = name === String(version) || name === `${version}.safe`;
      if (isOfVersion && !isKept) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** Writes and flushes every file: a script that a power cut left empty would "start" nothing. */
function unpack({ files }: LoadedModule, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const folders = new Set([folder, dirname(folder)]);
  for (const file of files) {
    const path = join(folder, file.path);
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileDurably(path, file.bytes, file.mode);
    folders.add(dirname(path));
  }
  for (const one of folders) syncDirectory(one);
}

function isUnpacked({ files }: LoadedModule, folder: string): boolean {
  return files.every(({ path, bytes, mode }) => {
    const file = join(folder, path);
    if (!existsSync(file) || (statSync(file).mode & 0o777) !== mode) return false;
    return readFileSync(file).equals(bytes);
  });
}

const installed = (
  moduleId: ModuleId,
  version: number,
  folder: string,
  loaded: LoadedModule,
): InstalledModule => ({
  moduleId,
  version,
  sha256: loaded.sha256,
  config: loaded.config,
  folder,
  warnings: loaded.warnings.map(formatProblem),
});
