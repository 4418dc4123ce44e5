import { createHash } from "node:crypto";
import { TextDecoder } from "node:util";
import type { ModuleConfig } from "../module/config.ts";
import { type ParseOptions, parseUserConfig } from "../module/parse-user-config.ts";
import { formatProblem, type Problem } from "../module/problem.ts";
import { err, ok, type Result } from "../shared/result.ts";
import { type ArchiveError, CONFIGURATION_PATH, type ModuleFiles } from "./module-files.ts";
import { readModuleArchive } from "./read-module-archive.ts";

/** A module that can be installed. */
export type LoadedModule = {
  readonly files: ModuleFiles;
  readonly config: ModuleConfig;
  readonly warnings: readonly Problem[];
  /** Of the archive's bytes, in hexadecimal: the version that nodes report. */
  readonly sha256: string;
};
/** Why a module cannot be used: its archive, or its configuration. */
export type ModuleError =
  | { readonly kind: "archive"; readonly error: ArchiveError }
  | { readonly kind: "configuration"; readonly problems: readonly Problem[] };

/**
 * The one way into a `.safe` file, for command line, control plane and agent. `options` are those
 * of the configuration: a node passes its environment and `isOnNode`.
 */
export async function loadModule(
  archive: Uint8Array,
  options: Omit<ParseOptions, "file"> = {},
): Promise<Result<LoadedModule, ModuleError>> {
  const files = await readModuleArchive(archive);
  if (!files.ok) return err({ kind: "archive", error: files.error });
  const parsed = parseConfiguration(files.value, options);
  if (!parsed.ok) return parsed;
  const sha256 = createHash("sha256").update(archive).digest("hex");
  return ok({ files: files.value, ...parsed.value, sha256 });
}

/** One text for a terminal or a log: every problem with its place. */
export const formatModuleError = (error: ModuleError): string =>
  error.kind === "archive" ? error.error.message : error.problems.map(formatProblem).join("\n");

function parseConfiguration(
  files: ModuleFiles,
  options: Omit<ParseOptions, "file">,
): Result<{ config: ModuleConfig; warnings: readonly Problem[] }, ModuleError> {
  const bytes = files.find(({ path }) => path === CONFIGURATION_PATH)?.bytes;
  const text = bytes === undefined ? null : decodeUtf8(bytes);
  if (text === null) {
    const message = `${CONFIGURATION_PATH} is not UTF-8 text`;
    return err({ kind: "archive", error: { kind: "damaged", message } });
  }
  const parsed = parseUserConfig(text, { ...options, file: CONFIGURATION_PATH });
  return parsed.ok ? parsed : err({ kind: "configuration", problems: parsed.error });
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
