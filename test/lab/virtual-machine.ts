/**
 * One virtual machine of the lab: its own network, mounts, process numbers and host name
 * (namespaces), its own disk (ext4 in an image on a loop device, mounted at /srv inside), and one
 * control group that holds everything, so that a "power cut" ends all of it in one instant.
 *
 * Inside, paths are those of a real machine: both nodes have /srv/data. From outside, a file is
 * seen through /proc/PID/root.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, must, type RunOptions, run, waitFor } from "./command.ts";
import { CGROUP_ROOT, removeGroups } from "./control-groups.ts";
import { FaultyDisk } from "./faulty-disk/faulty-disk.ts";
import type { LabNetwork } from "./network.ts";
import { cutPowerOf } from "./power.ts";
import { readIfThere } from "./read-if-there.ts";

export type MachineOptions = {
  readonly name: string;
  /** Holds the disk image and the console's output. */
  readonly folder: string;
  readonly labId: string;
  readonly network: LabNetwork;
  readonly diskMiB: number;
  /** A second disk for /srv/data, which can be made to fail. @default none */
  readonly dataDiskMiB?: number | undefined;
};

/** Where the data disk is mounted: /srv/data is a directory on it, so that others can fill it. */
export const DATA_DISK = "/srv/disk";

const mountDataDisk = (loop: string) => `
mkdir -p ${DATA_DISK} /srv/data
mount -t ext4 ${loop} ${DATA_DISK}
mkdir -p ${DATA_DISK}/data
mount --bind ${DATA_DISK}/data /srv/data`;

/** Mounts what a machine of its own has, says "booted", then only reaps. */
const initScript = (loop: string, dataLoop: string | null, name: string, bootedMark: string) => `
set -e
mount --make-rprivate /
mount -t proc proc /proc
hostname ${name}
mount -t ext4 ${loop} /srv
${dataLoop === null ? "" : mountDataDisk(dataLoop)}
mount -t tmpfs tmpfs /run
# A boot id of its own (random(4)), as a machine has after each start.
cat /proc/sys/kernel/random/uuid > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
touch ${bootedMark}
while :; do sleep 3600 & wait $!; done
`;

export class VirtualMachine {
  readonly name: string;
  readonly #options: MachineOptions;
  #loop: string | null = null;
  /** Null where the machine has one disk only. */
  readonly dataDisk: FaultyDisk | null;

  constructor(options: MachineOptions) {
    this.name = options.name;
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    const folder = join(options.folder, "data-disk");
    const hasDisk = options.dataDiskMiB !== undefined || existsSync(folder);
    this.dataDisk = hasDisk ? new FaultyDisk(folder) : null;
  }

  get cgroup(): string {
    return join(CGROUP_ROOT, `${this.#options.labId}-${this.name}`);
  }

  get #image(): string {
    return join(this.#options.folder, "disk.img");
  }

  get #bootedMark(): string {
    return join(this.#options.folder, "booted");
  }

  /** The host's number of the machine's first process, or null while it is off. */
  get initPid(): number | null {
    for (const id of this.processIds()) {
      // Its number is 1 in its own process namespace and another one here (proc(5) NSpid).
      if (/^NSpid:\t\d+\t1$/m.test(readIfThere(`/proc/${id}/status`))) return id;
    }
    return null;
  }

  /** The host's numbers of what runs in the machine itself, or in a control group below its own. */
  processIds(below = ""): readonly number[] {
    return readIfThere(join(this.cgroup, below, "cgroup.procs"))
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  }

  /** A path of the machine as seen from outside. */
  path(inside: string): string {
    const pid = this.initPid;
    if (pid === null) throw new Error(`${this.name} is off`);
    return `/proc/${pid}/root${inside}`;
  }

  async createDisk(): Promise<void> {
    await must("truncate", ["-s", `${this.#options.diskMiB}M`, this.#image]);
    await must("mkfs.ext4", [
      "-q",
      "-F",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0",
      this.#image,
    ]);
    const { dataDiskMiB } = this.#options;
    if (dataDiskMiB !== undefined) await this.dataDisk?.create(dataDiskMiB);
  }

  /** Switches the machine on and waits until its disk is mounted. A new boot id each time. */
  async boot(): Promise<void> {
    if (this.initPid !== null) return;
    this.#loop ??= (await must("losetup", ["--find", "--show", this.#image])).trim();
    mkdirSync(this.cgroup, { recursive: true });
    await run("rm", ["-f", this.#bootedMark]);
    await this.#options.network.resetHost(this.name);
    await this.#options.network.plug(this.name, true);
    const console = openSync(join(this.#options.folder, "console.log"), "a");
    const dataLoop = (await this.dataDisk?.loop()) ?? null;
    const script = initScript(this.#loop, dataLoop, this.name, this.#bootedMark);
    const enter = [
      ...["nsenter", `--net=${this.#options.network.namespacePath(this.name)}`],
      ...["unshare", "--mount", "--pid", "--fork", "--uts"],
      ...["sh", "-c", script],
    ];
    spawn("sh", ["-c", `echo $$ > ${this.cgroup}/cgroup.procs; exec "$@"`, "sh", ...enter], {
      detached: true,
      stdio: ["ignore", console, console],
    }).unref();
    await waitFor(
      `${this.name} to boot`,
      () => (existsSync(this.#bootedMark) ? true : null),
      20_000,
    );
  }

  /** Runs a command inside, as part of the machine: its death ends the command too. */
  async exec(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const [command, ...rest] = this.#inside(args);
    return await run(command ?? "false", rest, options);
  }

  async mustExec(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const [command, ...rest] = this.#inside(args);
    return await must(command ?? "false", rest, options);
  }

  /** Starts a daemon inside; its output goes to a log in the machine's folder. */
  start(logName: string, args: readonly string[], environment: Record<string, string> = {}): void {
    const log = openSync(join(this.#options.folder, `${logName}.log`), "a");
    const [command, ...rest] = this.#inside(args);
    spawn(command ?? "false", rest, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...environment },
    }).unref();
  }

  /** The output that a daemon started by `start` has given so far. */
  log(logName: string): string {
    return readIfThere(join(this.#options.folder, `${logName}.log`));
  }

  /**
   * The machine is gone at once: nothing more leaves, every process is killed. With `power`, its
   * file systems first lose all that was not yet on stable storage; with `cache`, the data disk
   * also loses what it was given and not told to flush.
   */
  async kill(options: { power?: boolean; cache?: boolean } = {}): Promise<void> {
    const pid = this.initPid;
    if (pid === null) return;
    // Frozen first, so that no process sees the plug or the disk go before its own end.
    writeFileSync(join(this.cgroup, "cgroup.freeze"), "1");
    await this.#options.network.plug(this.name, false);
    if (options.power === true) {
      cutPowerOf(`/proc/${pid}/root/srv`);
      if (this.dataDisk !== null) cutPowerOf(`/proc/${pid}/root${DATA_DISK}`);
    }
    if (options.cache === true) await this.dataDisk?.order({ kind: "lose" });
    writeFileSync(join(this.cgroup, "cgroup.kill"), "1");
    writeFileSync(join(this.cgroup, "cgroup.freeze"), "0");
    await waitFor(`${this.name} to be dead`, () => (this.#isEmpty() ? true : null), 20_000);
  }

  freeze(): void {
    writeFileSync(join(this.cgroup, "cgroup.freeze"), "1");
  }

  thaw(): void {
    writeFileSync(join(this.cgroup, "cgroup.freeze"), "0");
  }

  async destroy(): Promise<void> {
    // A process that hangs in a call to a disk that hangs could not die.
    await this.dataDisk?.order({ kind: "ok" }).catch(() => undefined);
    if (existsSync(this.cgroup)) {
      await this.kill();
      await waitFor(
        "its control groups to go",
        () => (removeGroups(this.cgroup) ? true : null),
        10_000,
      );
    }
    const loops = await run("losetup", ["-n", "-O", "NAME", "-j", this.#image]);
    for (const loop of loops.stdout.split("\n").filter((line) => line !== "")) {
      await run("losetup", ["-d", loop.trim()]);
    }
    this.#loop = null;
    await this.dataDisk?.destroy();
  }

  /** Takes up a machine that an earlier process left running. */
  async adopt(): Promise<void> {
    const loops = await run("losetup", ["-n", "-O", "NAME", "-j", this.#image]);
    this.#loop = loops.stdout.split("\n")[0]?.trim() || null;
  }

  #isEmpty(): boolean {
    return !/^populated 1$/m.test(readIfThere(join(this.cgroup, "cgroup.events")));
  }

  #inside(args: readonly string[]): string[] {
    const pid = this.initPid;
    if (pid === null) throw new Error(`${this.name} is off`);
    const enter = ["nsenter", "-t", String(pid), "-m", "-p", "-n", "-u", "--", ...args];
    return ["sh", "-c", `echo $$ > ${this.cgroup}/cgroup.procs; exec "$@"`, "sh", ...enter];
  }
}
