import { Buffer } from "node:buffer";
import { ZipFile } from "yazl";
import { assert } from "../shared/assert.ts";
import { type ModuleFiles, PathRegister, whyNotPath } from "./module-files.ts";

/**
 * Packs a module. The same files give the same bytes, on every machine and in every time zone, so
 * that two nodes can compare what they run by its hash.
 */
export async function writeModuleArchive(files: ModuleFiles): Promise<Buffer> {
  const zip = new ZipFile();
  const register = new PathRegister();
  for (const { path, mode, bytes } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    assert(whyNotPath(path) === null, `a module's path is plain: ${path}`);
    assert(register.add(path, false) === null, `a module's paths do not clash: ${path}`);
    // Zip times are local: a date made of local parts is stored as these parts everywhere. Not
    // their earliest, 1980: yazl clamps to that in the zone it was loaded in.
    // biome-ignore lint/style/noRestrictedGlobals: this reads no clock.
    const mtime = new Date(2000, 0, 1, 12);
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    zip.addBuffer(content, path, { mtime, mode: 0o100000 | mode, forceDosTimestamp: true });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) {
    assert(Buffer.isBuffer(chunk), "yazl writes bytes");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
