/**
 * The folder of the local control plane: database, first secret and CA. What opens doors has mode
 * 0600, and a file that others can read is refused rather than used: it may be known to them.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type CaMaterial, createCa } from "../identity/certificate-authority.ts";

export interface StateFolder {
  readonly databaseFile: string;
  readonly secretFile: string;
  readonly caFile: string;
  readonly secret: string;
  readonly ca: CaMaterial;
}

/** Opens the folder, and makes what is missing in it. */
export async function openStateFolder(folder: string, nowMs: number): Promise<StateFolder> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const secretFile = join(folder, "secret");
  const keyFile = join(folder, "ca.key");
  const caFile = join(folder, "ca.crt");
  const secret =
    readPrivate(secretFile) ?? makePrivate(secretFile, randomBytes(32).toString("base64url"));
  let keyPem = readPrivate(keyFile);
  let certificatePem = readPrivate(caFile);
  if (keyPem === null || certificatePem === null) {
    const made = await createCa(nowMs);
    // The key last: a crash in between makes a new pair, never a certificate without its key.
    certificatePem = makePrivate(caFile, made.certificatePem);
    keyPem = makePrivate(keyFile, made.keyPem);
  }
  const databaseFile = join(folder, "control-plane.db");
  return {
    databaseFile,
    secretFile,
    caFile,
    secret: secret.trim(),
    ca: { keyPem, certificatePem },
  };
}

function readPrivate(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if ((stat.mode & 0o077) !== 0) {
    throw new Error(`${path} can be read by others: chmod 600 it, or remove it to get a new one`);
  }
  return readFileSync(path, "utf8");
}

/** Whole or not at all, and on disk before it is used. */
function makePrivate(path: string, text: string): string {
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  const folder = openSync(join(path, ".."), "r");
  fsyncSync(folder);
  closeSync(folder);
  return text;
}
