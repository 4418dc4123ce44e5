/**
 * A machine whose first process is systemd, made of namespaces: processes, mounts, network, host
 * name and control groups of its own, over this machine's files, none of which it can change (an
 * overlay in memory). It is booted into a target that starts nothing but the journal and D-Bus.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finished, must, type RunOptions, run, waitFor } from "../lab/command.ts";
import { CGROUP_ROOT, removeGroups } from "../lab/control-groups.ts";

const INIT = "/lib/systemd/systemd";
const ROOT = join(import.meta.dirname, "..", "..");
const TARGET = "machine.target";
const BOOT_MS_MAX = 30_000;
const END_MS_MAX = 10_000;

/** Why there can be none here, and what to do. */
export const whyNoSystemd = (): string | null =>
  existsSync(INIT) && existsSync("/usr/bin/dbus-daemon")
    ? null
    : "sudo apt-get install -y --no-install-recommends systemd dbus";

const unit = (sections: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.join("\n")}\n`)
    .join("\n");

/** Before systemd: what a machine of its own has. `$1` is a folder to work in. */
const BOOT = `
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
cd "$1/root"
shift
mount -t proc proc proc
mount -t tmpfs tmpfs sys
mkdir -p sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
for place in run tmp dev srv; do mount -t tmpfs tmpfs "$place"; done
# What is below /tmp or on another file system is not in the overlay; nothing inside may change it.
for place in "$@"; do
  mkdir -p ".$place"
  mount --bind "$place" ".$place"
  mount -o remount,bind,ro ".$place"
done
for name in null zero full random urandom tty; do
  touch "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm
mount -t tmpfs tmpfs etc/systemd/system
printf '%b' ${JSON.stringify(unit({ Unit: ["Description=machine", "AllowIsolate=yes", "Wants=dbus.socket"] }))} > etc/systemd/system/${TARGET}
ip link set lo up
exec chroot . env -i container=mirrorfarm-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  ${INIT} --unit=${TARGET} --show-status=false
`;

export class SystemdMachine {
  readonly #folder = mkdtempSync(join(tmpdir(), "systemd-machine-"));
  readonly #cgroup = join(CGROUP_ROOT, `mirrorfarm-systemd-${process.pid}`);
  #child: ChildProcess | null = null;
  #pid = 0;

  /** Resolves when systemd says that it runs. */
  static async boot(): Promise<SystemdMachine> {
    const machine = new SystemdMachine();
    try {
      await machine.#boot();
    } catch (error) {
      const said = machine.console();
      await machine.end();
      throw new Error(`systemd did not boot: ${said.slice(-2000)}`, { cause: error });
    }
    return machine;
  }

  async #boot(): Promise<void> {
    const work = join(this.#folder, "work");
    mkdirSync(work);
    mkdirSync(this.#cgroup);
    const console = openSync(join(this.#folder, "console.log"), "a");
    const places = [ROOT, realpathSync(join(ROOT, "node_modules"))];
    const spaces = ["--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup"];
    const enter = ["unshare", ...spaces, "--fork", "sh", "-c", BOOT, "sh", work, ...places];
    const join1 = `echo $$ > ${this.#cgroup}/cgroup.procs; exec "$@"`;
    this.#child = spawn("sh", ["-c", join1, "sh", ...enter], {
      stdio: ["ignore", console, console],
    });
    await waitFor("systemd to run", () => this.#isRunning(), BOOT_MS_MAX, 100);
  }

  async #isRunning(): Promise<true | null> {
    const [first = ""] = readFile(join(this.#cgroup, "init.scope", "cgroup.procs")).split("\n");
    if (first === "") return null;
    this.#pid = Number(first);
    const asked = await this.exec(["systemctl", "is-system-running"]);
    // Degraded: a unit of Debian's that a namespace cannot have; none of ours.
    return ["running", "degraded"].includes(asked.stdout.trim()) ? true : null;
  }

  console(): string {
    return readFile(join(this.#folder, "console.log"));
  }

  /** A file of the machine as seen from outside. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  write(inside: string, content: string | Uint8Array): void {
    writeFileSync(this.path(inside), content);
  }

  /** Writes a service and starts it. */
  async service(name: string, lines: readonly string[]): Promise<void> {
    await this.installService(name, lines);
    await this.mustExec(["systemctl", "start", name]);
  }

  async installService(name: string, lines: readonly string[]): Promise<void> {
    const text = unit({ Unit: [`Description=${name}`], Service: lines });
    this.write(`/etc/systemd/system/${name}.service`, text);
    await this.mustExec(["systemctl", "daemon-reload"]);
  }

  async exec(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const [command = "false", ...rest] = this.#inside(args);
    return await run(command, rest, options);
  }

  async mustExec(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const [command = "false", ...rest] = this.#inside(args);
    return await must(command, rest, options);
  }

  #inside(args: readonly string[]): readonly string[] {
    const spaces = ["-p", "-m", "-u", "-i", "-n", "-C"];
    return ["nsenter", "-t", String(this.#pid), ...spaces, "-r", "-w", "--", ...args];
  }

  async end(): Promise<void> {
    if (existsSync(this.#cgroup)) {
      writeFileSync(join(this.#cgroup, "cgroup.kill"), "1");
      const gone = () => (removeGroups(this.#cgroup) ? true : null);
      await waitFor("its control groups to go", gone, END_MS_MAX);
    }
    this.#child?.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
