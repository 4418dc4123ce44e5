/**
 * A directory served over FUSE by a process of its own, for one test. Whatever happens the mount,
 * the process and the folder are gone afterwards.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { ServeCommand, ServeOptions, ServeReport } from "./serve-options.ts";

const STEP_MS_MAX = 20_000;
const SERVE = path.join(import.meta.dirname, "serve-process.ts");

/** Why mounts cannot be tested here; null when they can. Shown as NOT RUN. */
export function whyNotRun(): string | null {
  if (process.getuid?.() !== 0) return "NOT RUN: needs root to mount";
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return null;
  } catch {
    return "NOT RUN: no /dev/fuse";
  }
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
  #stderr = "";

  private constructor(options: ServeOptions) {
    this.path = options.path;
    this.#process = spawn(process.execPath, [SERVE, JSON.stringify(options)]);
    this.#process.stderr.on("data", (text: Buffer) => {
      this.#stderr += text.toString();
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
    served.kill();
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
    return JSON.parse(await this.#line());
  }

  /** Unmounts in order, and ends the process. */
  async stop(): Promise<void> {
    try {
      execFileSync("umount", [this.path], { timeout: STEP_MS_MAX, stdio: "pipe" });
      await this.#line();
    } finally {
      this.kill();
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

  #line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const fail = (why: string) => () => reject(new Error(`${why}. ${this.#stderr}`));
      const timer = setTimeout(fail("no answer from the server"), STEP_MS_MAX);
      const ended = fail("the server ended");
      this.#process.once("exit", ended);
      this.#waiting.push((text) => {
        clearTimeout(timer);
        this.#process.off("exit", ended);
        resolve(text);
      });
    });
  }
}
