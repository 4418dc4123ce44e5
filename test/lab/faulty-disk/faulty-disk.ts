/**
 * A disk of a machine that can be made to fail: ext4 on a loop device over the one file of a small
 * FUSE file system (disk-process.ts). The process belongs to the host, not to the machine, so that
 * it outlives a power cut as a disk does.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { must, run, waitFor } from "../command.ts";
import type { DiskOrder } from "./fault.ts";

const PROCESS = join(import.meta.dirname, "disk-process.ts");
const ANSWER_MS_MAX = 10_000;

export class FaultyDisk {
  readonly #folder: string;
  #loop: string | null = null;

  /** Keeps its image, mount point and socket in `folder`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get #file(): string {
    return join(this.#folder, "fuse", "disk");
  }
  get #socket(): string {
    return join(this.#folder, "control.sock");
  }

  /** Makes the image and its file system, and the loop device over them. */
  async create(sizeMiB: number): Promise<void> {
    mkdirSync(join(this.#folder, "fuse"), { recursive: true });
    const image = join(this.#folder, "disk.img");
    await must("truncate", ["-s", `${sizeMiB}M`, image]);
    const lazy = "lazy_itable_init=0,lazy_journal_init=0";
    await must("mkfs.ext4", ["-q", "-F", "-E", lazy, image]);
    const log = openSync(join(this.#folder, "disk.log"), "a");
    const args = [PROCESS, image, join(this.#folder, "fuse"), this.#socket];
    spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] }).unref();
    await waitFor("a disk", () => (existsSync(this.#socket) ? true : null), ANSWER_MS_MAX);
    this.#loop = (await must("losetup", ["--find", "--show", this.#file])).trim();
  }

  /** The loop device, also of a disk that an earlier process made. */
  async loop(): Promise<string | null> {
    this.#loop ??= (await this.#loops())[0] ?? null;
    return this.#loop;
  }

  async #loops(): Promise<readonly string[]> {
    const listed = await run("losetup", ["-n", "-O", "NAME", "-j", this.#file]);
    return listed.stdout
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  }

  /** Does what is ordered from now on; resolves when it has been understood. */
  async order(order: DiskOrder): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(this.#socket);
      socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error("the disk does not answer")));
      socket.on("error", reject);
      socket.on("data", () => {
        socket.end();
        resolve();
      });
      socket.write(`${JSON.stringify(order)}\n`);
    });
  }

  /** Takes everything away; also what a machine that was killed has left half done. */
  async destroy(): Promise<void> {
    if (!existsSync(this.#socket)) return;
    await this.order({ kind: "ok" }).catch(() => undefined);
    const own = this.#loop === null ? [] : [this.#loop];
    for (const loop of new Set([...(await this.#loops()), ...own]))
      await run("losetup", ["-d", loop]);
    await this.order({ kind: "quit" }).catch(() => undefined);
    await run("umount", ["-l", join(this.#folder, "fuse")]);
  }
}
