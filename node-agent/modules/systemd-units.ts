import { execFile } from "node:child_process";
import { existsSync } from "node:fs";

/** What the fence and the process watch need of systemd; a machine without it has none. */
export interface Systemd {
  isActive(unit: string): Promise<boolean | null>;
  freeze(unit: string): Promise<boolean>;
  thaw(unit: string): Promise<boolean>;
  /** Kills every process of the unit and keeps `Restart=` from bringing it back. */
  kill(unit: string): Promise<boolean>;
}

const CALL_MS_MAX = 5_000;

/** `systemctl`, or null where systemd does not run this machine (sd_booted(3)). */
export function openSystemd(runDirectory = "/run/systemd/system"): Systemd | null {
  return existsSync(runDirectory) ? new SystemctlCommand("systemctl") : null;
}

/** Calls `systemctl`; `program` is another one in tests. */
export class SystemctlCommand implements Systemd {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  async isActive(unit: string): Promise<boolean | null> {
    const code = await this.#run(["is-active", "--quiet", "--", unit]);
    // 0: active; 3: not; anything else says nothing about the unit (systemctl(1), "Exit status").
    if (code === 0) return true;
    return code === 3 || code === 4 ? false : null;
  }

  async freeze(unit: string): Promise<boolean> {
    return (await this.#run(["freeze", "--", unit])) === 0;
  }

  async thaw(unit: string): Promise<boolean> {
    return (await this.#run(["thaw", "--", unit])) === 0;
  }

  async kill(unit: string): Promise<boolean> {
    // `kill` acts at once; `stop` then tells the manager that the unit is meant to be down.
    const killed = await this.#run(["kill", "--signal=SIGKILL", "--", unit]);
    const stopped = await this.#run(["stop", "--no-block", "--", unit]);
    return killed === 0 && stopped === 0;
  }

  async #run(args: readonly string[]): Promise<number | null> {
    return await new Promise((resolve) => {
      const child = execFile(this.#program, [...args], { timeout: CALL_MS_MAX }, (error) => {
        if (error === null) resolve(0);
        else resolve(typeof error.code === "number" ? error.code : null);
      });
      child.stdin?.end();
    });
  }
}
