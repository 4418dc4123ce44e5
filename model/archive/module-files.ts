/**
 * `.safe` archives: zip files that hold a module. This folder may use Node's Buffer and zlib, so
 * it is no part of the pure model; it still does no I/O: bytes in, files out, and nothing is
 * written anywhere. Whoever installs a module writes files only after all of the archive was read
 * and found good.
 *
 * An archive comes from strangers. So: only plain names, only regular files, sizes counted while
 * inflating (what a header says is a claim), checksums compared (no zip library does it), every
 * byte of the archive accounted for, and one reading only: where two programs could disagree on
 * what an archive holds, it is refused.
 */

/** One file of a module. */
export type ModuleFile = {
  /** Relative, parts separated by `/`, e.g. `bin/start_prim`. */
  readonly path: string;
  /** 0o755: may be executed. */
  readonly mode: 0o644 | 0o755;
  readonly bytes: Uint8Array;
};
/** All files, sorted by path. */
export type ModuleFiles = readonly ModuleFile[];

/** Where the configuration stands in every module. */
export const CONFIGURATION_PATH = "conf/userconfig.xml";

/** A module is scripts and settings; an archive beyond these is a mistake or an attack. */
export const ARCHIVE_LIMITS = {
  packedBytesMax: 10 * 1024 * 1024,
  unpackedBytesMax: 50 * 1024 * 1024,
  entriesMax: 1_000,
  /** Unpacked to packed, of what is larger than `ratioFreeBytes`: small files are often blank. */
  ratioMax: 100,
  ratioFreeBytes: 1024 * 1024,
  depthMax: 10,
  partLengthMax: 128,
} as const;

/** Why an archive was refused. The message is one line, safe to show. */
export type ArchiveError = {
  readonly kind:
    | "tooLarge"
    | "notAnArchive"
    | "unsafeName"
    | "unsafeEntry"
    | "damaged"
    | "noConfiguration";
  readonly message: string;
};

/** Names that Windows gives to devices: an archive has to unpack everywhere or nowhere. */
const DEVICES = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/iu;

/** Why a path cannot be a module's, or null. `path` has no slash at its end. */
export function whyNotPath(path: string): string | null {
  const parts = path.split("/");
  if (parts.length > ARCHIVE_LIMITS.depthMax) {
    return `is deeper than ${ARCHIVE_LIMITS.depthMax} directories`;
  }
  for (const part of parts) {
    if (part === "") return "is absolute or has an empty part";
    if (part.length > ARCHIVE_LIMITS.partLengthMax) {
      return `has a part longer than ${ARCHIVE_LIMITS.partLengthMax} characters`;
    }
    // A leading dot hides (.git/hooks) or climbs (..); a leading dash is an option to a program.
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/u.test(part)) {
      return "has other characters than letters, digits and . _ - or begins with . or -";
    }
    if (part.endsWith(".") || DEVICES.test(part)) return "has a part that Windows cannot keep";
  }
  return null;
}

/** Finds names that clash: the same one twice, in another case, or both file and directory. */
export class PathRegister {
  readonly #exactByFolded = new Map<string, string>();
  readonly #files = new Set<string>();
  readonly #directories = new Set<string>();

  /** Why this file or directory clashes with what is there, or null; then it is there. */
  add(path: string, isDirectory: boolean): string | null {
    const parts = path.split("/");
    for (let length = 1; length <= parts.length; length += 1) {
      const prefix = parts.slice(0, length).join("/");
      const folded = prefix.toLowerCase();
      const exact = this.#exactByFolded.get(folded);
      if (exact !== undefined && exact !== prefix) return "differs from another only in case";
      this.#exactByFolded.set(folded, prefix);
      const isParent = length < parts.length;
      if ((isParent || isDirectory) && this.#files.has(prefix)) return "is both file and directory";
      if (isParent) this.#directories.add(prefix);
    }
    if (isDirectory) {
      this.#directories.add(path);
      return null;
    }
    if (this.#files.has(path)) return "is there twice";
    if (this.#directories.has(path)) return "is both file and directory";
    this.#files.add(path);
    return null;
  }
}
