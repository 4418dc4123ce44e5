import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file so that after a crash at any moment it is wholly the old one or wholly the new
 * one, and once this resolves it is the new one even after a power cut: write apart, fsync,
 * rename(2) over it, fsync the directory (fsync(2): the entry is not safe without the last).
 * Rejects with the system's error; then the old file stands as it was.
 */
export async function writeFileDurably(
  path: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const directory = dirname(path);
  const apart = join(directory, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    const file = await open(apart, "wx", mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(apart, path);
  } catch (cause) {
    await unlink(apart).catch(() => {});
    throw cause;
  }
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
