/**
 * Files that a crash leaves either old or new, never torn and never lost: written beside, flushed,
 * renamed over, and the directory flushed too (rename(2) alone promises nothing after a power cut;
 * see fsync(2) on directories). Synchronous on purpose: what is persisted must be on disk before
 * the next line runs.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export function writeFileDurably(path: string, content: string | Uint8Array, mode = 0o600): void {
  const beside = `${path}.new`;
  const descriptor = openSync(beside, "w", mode);
  try {
    // The mode of open(2) is narrowed by the umask, and an old file keeps its own.
    fchmodSync(descriptor, mode);
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    let written = 0;
    while (written < bytes.length) written += writeSync(descriptor, bytes, written);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(beside, path);
  syncDirectory(dirname(path));
}

export function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What a checksummed file holds. `damaged` is an answer of its own: it is neither old nor none. */
export type ReadRecord =
  | { readonly kind: "none" }
  | { readonly kind: "damaged"; readonly detail: string }
  | { readonly kind: "read"; readonly value: unknown };

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Writes JSON with its own SHA-256 in the first line, so that a flipped bit is never believed. */
export function writeRecord(path: string, value: unknown): void {
  const text = JSON.stringify(value);
  writeFileDurably(path, `${digestOf(text)}\n${text}\n`);
}

export function readRecord(path: string): ReadRecord {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { kind: "none" };
    return { kind: "damaged", detail: String(error) };
  }
  const [digest, text, ...rest] = content.split("\n");
  if (text === undefined || rest.join("") !== "" || digestOf(text) !== digest) {
    return { kind: "damaged", detail: `${path} does not match its checksum` };
  }
  return { kind: "read", value: JSON.parse(text) };
}
