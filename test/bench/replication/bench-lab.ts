/** The lab of one run: two nodes with pre-written disks, and every target ready in them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LabCluster } from "../../lab/cluster.ts";
import { Lab } from "../../lab/lab.ts";
import type { VirtualMachine } from "../../lab/virtual-machine.ts";
import { startFloor } from "./floor.ts";
import { startGlusterfs } from "./glusterfs.ts";
import { addMirror, leadAgain, startFirstMirror, stepMark } from "./mirrors.ts";
import type { BenchOptions } from "./options.ts";
import { makeSourceTree, type SourceTree } from "./source-tree.ts";
import { whyNoFsyncMode } from "./sync-mode.ts";
import { type NodeName, TARGETS, type TargetName } from "./targets.ts";

const NODES: readonly NodeName[] = ["node1", "node2"];
/** Of the short workloads' files, and of the databases on five targets. */
const DISK_MIB = 8 * 1024;
/** Ext4 has an inode for each 16 KiB of disk. */
const DISK_BYTES_PER_FILE = 20 * 1024;
const PREWRITE_MS_MAX = 600_000;

export class BenchLab {
  readonly options: BenchOptions;
  readonly source: SourceTree;
  /** Targets that are not measured, and why. */
  readonly skipped: Partial<Record<TargetName, string>> = {};
  /** Modules of single workloads, made when they are first needed. */
  readonly #mirrors = new Map<string, LabCluster>();
  readonly #lab: Lab;
  readonly say: (text: string) => void;
  #ending: Promise<void> | null = null;

  private constructor(lab: Lab, source: SourceTree, setting: Setting) {
    this.#lab = lab;
    this.source = source;
    this.options = setting.options;
    this.say = setting.say;
  }

  /** Everything but the targets: machines whose disks have been written once all over. */
  static async up(setting: Setting): Promise<BenchLab> {
    const { options, say } = setting;
    const diskMiB = DISK_MIB + Math.ceil((options.files * DISK_BYTES_PER_FILE) / 1024 / 1024);
    say(`making the lab, with disks of ${Math.round(diskMiB / 1024)} GiB`);
    const lab = await Lab.up({ diskMiB });
    try {
      const folder = join(lab.folder, "source");
      mkdirSync(folder);
      return new BenchLab(lab, await makeSourceTree(folder), setting);
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** Makes each wanted target ready; `idle` is called when only the first module runs. */
  async startTargets(
    wanted: ReadonlySet<TargetName>,
    idle: () => Promise<void>,
  ): Promise<readonly TargetName[]> {
    this.say("writing all of both disks once");
    for (const node of NODES) await this.#prewrite(this.machine(node));
    for (const target of ["native", "dual"] as const) {
      for (const node of TARGETS[target].nodes) {
        await this.machine(node).mustExec(["mkdir", "-p", TARGETS[target].folder]);
      }
    }
    const first = { name: "bench-write", folder: TARGETS.write.folder, sync: "write" };
    this.#mirrors.set(first.name, await startFirstMirror(this.#lab, first, this.say));
    await idle();
    if (wanted.has("fsync")) await this.#startFsync();
    if (wanted.has("floor")) await startFloor(this.machine("node1"), this.machine("node2"));
    if (this.options.peer === null) {
      this.skipped.glusterfs = "not asked for: --peer glusterfs";
    } else if (wanted.has("glusterfs")) {
      this.say("starting GlusterFS");
      await startGlusterfs(this.#node("node1"), this.#node("node2"), TARGETS.glusterfs.folder);
    }
    for (const [name, why] of Object.entries(this.skipped)) this.say(`without ${name}: ${why}`);
    return [...wanted].filter((name) => this.skipped[name] === undefined);
  }

  machine(name: NodeName): VirtualMachine {
    return this.#lab.machine(name);
  }

  address(name: NodeName): string {
    return this.#lab.network.address(name);
  }

  /** A module of its own for a workload, with sync="write". */
  async mirror(name: string, folder: string): Promise<LabCluster> {
    const cluster =
      this.#mirrors.get(name) ?? (await addMirror(this.#lab, { name, folder, sync: "write" }));
    this.#mirrors.set(name, cluster);
    return cluster;
  }

  /**
   * Measures while both nodes are in step; what was measured while one was not says nothing, and is
   * refused. Targets that are not ours are always in step.
   */
  async inStep<T>(target: TargetName, measure: () => Promise<T>): Promise<T> {
    const cluster = this.#mirrors.get(`bench-${target}`);
    if (cluster === undefined) return await measure();
    await leadAgain(cluster);
    const before = await stepMark(cluster);
    const result = await measure();
    const after = await stepMark(cluster);
    if (after === before) return result;
    throw new Error(`the nodes were not in step all the time: ${before}; then ${after}`);
  }

  /** What the agents said last, for a failure's report. */
  logs(): string {
    return this.#mirrors.get("bench-write")?.logs() ?? "";
  }

  /** It is being taken down: what fails now fails for that. */
  get isEnding(): boolean {
    return this.#ending !== null;
  }

  /** Leaves nothing behind. Once, however often it is asked. */
  down(): Promise<void> {
    this.#ending ??= this.#takeDown();
    return this.#ending;
  }

  async #takeDown(): Promise<void> {
    for (const cluster of this.#mirrors.values()) await cluster.close();
    await this.#lab.down();
  }

  async #startFsync(): Promise<void> {
    this.say('starting a module with sync="fsync"');
    const second = { name: "bench-fsync", folder: TARGETS.fsync.folder, sync: "fsync" };
    this.#mirrors.set(second.name, await addMirror(this.#lab, second));
    const why = await whyNoFsyncMode(this);
    if (why !== null) this.skipped.fsync = why;
  }

  #node(name: NodeName) {
    return { machine: this.machine(name), address: this.address(name) };
  }

  /**
   * The image is a sparse file: its first writes would be several times slower than those that an
   * application makes later. A file that fills the disk, removed again, leaves every block written.
   */
  async #prewrite(machine: VirtualMachine): Promise<void> {
    const script = `dd if=/dev/zero of=/srv/filler bs=1M status=none 2> /dev/null || true
      sync /srv/filler; rm /srv/filler; sync -f /srv`;
    await machine.mustExec(["sh", "-ec", script], { limitMs: PREWRITE_MS_MAX });
  }
}

type Setting = { readonly options: BenchOptions; say(text: string): void };
