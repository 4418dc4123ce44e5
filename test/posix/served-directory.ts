/**
 * A directory served over FUSE by a process of its own, for one test. Whatever happens the mount,
 * the process and the folder are gone afterwards.
 */
import {
  type ChildProcessWithoutNullStreams,
  execFileSync,
  spawn,
  spawnSync,
} from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { whyNoFuse } from "../setup/needs.ts";
import type { ServeCommand, ServeOptions, ServeReport } from "./serve-options.ts";

const STEP_MS_MAX = 20_000;
const UNMOUNTS_MAX = 50;
const UNMOUNT_PAUSE_MS = 50;
const SERVE = path.join(import.meta.dirname, "serve-process.ts");

/** Why mounts cannot be tested here; null when they can. Part of the skipped tests' names. */
export function whyNotRun(): string | null {
  if (process.getuid?.() !== 0) return "(needs root)";
  const why = whyNoFuse();
  return why === null ? null : `(needs FUSE: ${why})`;
}

/** A fresh folder for a test; `remove` it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(path.join(process.env["MF_TEST_TMP"] ?? tmpdir(), "mf-posix-"));
  return {
    path: folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export class ServedDirectory {
  readonly path: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];
  /** How it ended, once its output has been read. */
  readonly #ended: Promise<string>;
  #stderr = "";

  private constructor(options: ServeOptions) {
    this.path = options.path;
    this.#process = spawn(process.execPath, [SERVE, JSON.stringify(options)]);
    this.#process.stderr.on("data", (text: Buffer) => {
      this.#stderr += text.toString();
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once("close", (code, signal) => resolve(`${signal ?? code}`));
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#lines.push(line);
      else next(line);
    });
  }

  /** Mounts and serves; throws with the reason when that fails. */
  static async start(options: Partial<ServeOptions> & { path: string }): Promise<ServedDirectory> {
    const served = new ServedDirectory({ role: "primary", exclusions: [], ...options });
    const line = await served.#line();
    if (line === "ready") return served;
    // What was refused has mounted nothing, and what is mounted there may be another's.
    if (line.startsWith("failed")) served.#process.kill("SIGKILL");
    else served.kill();
    throw new Error(`${line} ${served.#stderr}`);
  }

  get processId(): number {
    return this.#process.pid ?? -1;
  }

  /** Faults and other remarks of the server. */
  get stderr(): string {
    return this.#stderr;
  }

  async tell(command: ServeCommand): Promise<ServeReport> {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await this.#line();
    if (!line.startsWith("{")) throw new Error(line);
    return JSON.parse(line);
  }

  /** Unmounts in order, and ends the process. */
  async stop(): Promise<void> {
    try {
      await this.#unmount();
      await this.#ended;
    } finally {
      this.kill();
    }
  }

  /** A process that just ended may still be about to let go. */
  async #unmount(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const unmounting = spawnSync("umount", [this.path], { timeout: STEP_MS_MAX });
      if (unmounting.status === 0) return;
      if (attempt === UNMOUNTS_MAX) throw new Error(`umount: ${unmounting.stderr}`);
      await setTimeout(UNMOUNT_PAUSE_MS);
    }
  }

  /** Kills the server (waiting callers get an error) and takes the mount off. Idempotent. */
  kill(): void {
    this.#process.kill("SIGKILL");
    try {
      execFileSync("umount", ["-l", this.path], { timeout: STEP_MS_MAX, stdio: "pipe" });
    } catch {
      // It was off already.
    }
  }

  /** The next line; fails when the server ends instead, or says nothing. */
  #line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    const said = new Promise<string>((resolve) => this.#waiting.push(resolve));
    const ended = this.#ended.then((how) => `the server ended (${how}). ${this.#stderr}`);
    const silent = new AbortController();
    const silence = setTimeout(STEP_MS_MAX, "no answer from the server", {
      signal: silent.signal,
    }).catch(() => "");
    return Promise.race([said, ended, silence]).finally(() => silent.abort());
  }
}
