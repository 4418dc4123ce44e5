/**
 * The lab: a few virtual machines on one network, made of namespaces on this machine (root only).
 * The product runs inside unchanged; the lab knows nothing of it (see cluster.ts for that).
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, LabNetwork } from "./network.ts";
import { VirtualMachine } from "./virtual-machine.ts";

/** 10.77.0.0/24 exists only inside the lab's own namespaces. */
export const LAB_HOSTS: readonly Host[] = [
  { name: "control", address: "10.77.0.10" },
  { name: "node1", address: "10.77.0.11" },
  { name: "node2", address: "10.77.0.12" },
  { name: "client", address: "10.77.0.20" },
];
export const LAB_VIP = "10.77.0.50";

const FOLDER_PREFIX = "mirrorfarm-lab-";
/** Names the process that a lab belongs to. */
const OWNER = "owner.json";

export type LabOptions = {
  readonly id?: string;
  readonly folder?: string;
  readonly diskMiB?: number;
  /** The nodes' data lies on a disk of its own, which can be made to fail. */
  readonly dataDiskMiB?: number;
};

export class Lab {
  readonly id: string;
  readonly folder: string;
  readonly network: LabNetwork;
  readonly machines: readonly VirtualMachine[];
  readonly #isFolderOurs: boolean;

  private constructor(options: LabOptions, network: LabNetwork) {
    this.id = options.id ?? labId();
    this.#isFolderOurs = options.folder === undefined;
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), FOLDER_PREFIX));
    if (this.#isFolderOurs) {
      // Whole or not at all: another process may be looking for what was left behind.
      const owner = join(this.folder, OWNER);
      writeFileSync(`${owner}.new`, JSON.stringify({ id: this.id, pid: process.pid }));
      renameSync(`${owner}.new`, owner);
    }
    this.network = network;
    this.machines = LAB_HOSTS.map(
      ({ name }) =>
        new VirtualMachine({
          name,
          folder: join(this.folder, name),
          labId: this.id,
          network,
          diskMiB: options.diskMiB ?? 512,
          dataDiskMiB: name.startsWith("node") ? options.dataDiskMiB : undefined,
        }),
    );
  }

  /** Makes the network and the disks and boots every machine. */
  static async up(options: LabOptions = {}): Promise<Lab> {
    await removeLeftOvers();
    const id = options.id ?? labId();
    if (options.folder !== undefined) mkdirSync(options.folder, { recursive: true });
    const lab = new Lab({ ...options, id }, await LabNetwork.create(id));
    try {
      for (const host of LAB_HOSTS) await lab.network.addHost(host);
      for (const machine of lab.machines) {
        await machine.createDisk();
        await machine.boot();
      }
    } catch (error) {
      await lab.down();
      throw error;
    }
    return lab;
  }

  /** Takes up a lab that an earlier process left running. */
  static async adopt(options: { id: string; folder: string }): Promise<Lab> {
    const lab = new Lab(options, LabNetwork.adopt(options.id, LAB_HOSTS));
    for (const machine of lab.machines) await machine.adopt();
    return lab;
  }

  machine(name: string): VirtualMachine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) {
      const known = this.machines.map((machine) => machine.name).join(", ");
      throw new Error(`no machine "${name}" in the lab; there are ${known}`);
    }
    return found;
  }

  /** Leaves nothing behind: no process, mount, namespace, loop device or file. */
  async down(): Promise<void> {
    for (const machine of this.machines) await machine.destroy();
    await this.network.destroy();
    if (this.#isFolderOurs) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends labs whose process was killed before it could end them itself. */
async function removeLeftOvers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(FOLDER_PREFIX))) {
    const folder = join(tmpdir(), name);
    if (!existsSync(join(folder, OWNER))) continue;
    const owner: { id: string; pid: number } = JSON.parse(
      readFileSync(join(folder, OWNER), "utf8"),
    );
    if (existsSync(`/proc/${owner.pid}`)) continue;
    await (await Lab.adopt({ id: owner.id, folder })).down();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Short, and another one in each process, so that two labs never meet. */
function labId(): string {
  return `mf${(process.pid % 46_656).toString(36)}`;
}
