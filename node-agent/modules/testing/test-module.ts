import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { UserConfig } from "#model/module/config.ts";
import { readCgroupFiles } from "../cgroup.ts";
import type { Containment } from "../containment.ts";
import { openContainment } from "../open-containment.ts";
import { scriptEnvironment } from "../script-environment.ts";
import { ModuleScripts } from "../script-runner.ts";

/** `<user>` as the reference's defaults have it. */
export const USER: UserConfig = {
  niceStopTimeoutMs: 300_000,
  forceStopTimeoutMs: 300_000,
  logging: "userlog",
  userlogSizeBytes: 2_048 * 1024,
  vars: [],
};

/** A module on disk with real scripts, in a real containment; `close` leaves nothing behind. */
export class TestModule {
  readonly directory = mkdtempSync(join(tmpdir(), "mirrorfarm-module-"));
  readonly bin = join(this.directory, "bin");
  readonly logs = join(this.directory, "var");
  readonly containment: Containment;
  readonly environment: Readonly<Record<string, string>>;
  readonly #runners: ModuleScripts[] = [];

  constructor(vars: UserConfig["vars"] = []) {
    mkdirSync(this.bin);
    mkdirSync(this.logs);
    const instance = `test-${process.pid}-${this.directory.slice(-6)}`;
    this.containment = openContainment(readCgroupFiles(), instance, "shop");
    this.environment = scriptEnvironment("shop", "node1", this.directories, vars);
  }

  get directories() {
    return {
      product: "/opt/product",
      state: this.directory,
      commands: join(this.directory, "commands"),
      bin: this.bin,
      conf: join(this.directory, "conf"),
      userVar: this.logs,
    };
  }

  /** Writes an executable shell script. `record WORD` in it notes what ran. */
  script(name: string, body: string, mode = 0o755): void {
    const record = `record() { echo "$*" >> ${join(this.directory, "record")}; }`;
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${record}\n${body}\n`, { mode });
  }

  scripts(user: UserConfig | null = USER): ModuleScripts {
    const runner = new ModuleScripts({
      user,
      binDirectory: this.bin,
      logDirectory: this.logs,
      environment: this.environment,
      containment: this.containment,
    });
    this.#runners.push(runner);
    return runner;
  }

  /** What `record` noted, in order. */
  recorded(): readonly string[] {
    return this.read("record").split("\n").filter(Boolean);
  }

  read(name: string): string {
    try {
      return readFileSync(join(this.directory, name), "utf8");
    } catch {
      return "";
    }
  }

  async close(): Promise<void> {
    for (const runner of this.#runners) runner.close();
    await this.containment.kill(5_000);
    this.containment.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until a state is reached, for at most `waitMsMax`. */
export async function until(holds: () => boolean, waitMsMax = 10_000): Promise<void> {
  const endsAtMs = performance.now() + waitMsMax;
  while (!holds()) {
    if (performance.now() > endsAtMs) throw new Error(`not within ${waitMsMax} ms: ${holds}`);
    await sleep(5);
  }
}
