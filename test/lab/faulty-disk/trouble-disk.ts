/** What the data disk of a machine may suffer, and how that is brought about. */
import { DATA_DISK, type VirtualMachine } from "../virtual-machine.ts";

export const DISK_TROUBLES = ["ok", "eio", "slow", "hang", "full", "ro", "lose-unflushed"] as const;
export type DiskTrouble = (typeof DISK_TROUBLES)[number];

const FILLER = `${DATA_DISK}/filler`;

const fill = (name: string, block: string): string =>
  `mkdir -p ${FILLER}; dd if=/dev/zero of=${FILLER}/${name} bs=${block}; sync ${FILLER}/${name}`;

/**
 * `ro`: ext4 stops writing, as after an error of its journal; only a boot mends that.
 * `lose-unflushed`: the power goes, and with it what the disk held in its volatile cache.
 */
export async function troubleDisk(
  machine: VirtualMachine,
  trouble: DiskTrouble,
  delayMs = 0,
): Promise<void> {
  const disk = machine.dataDisk;
  if (disk === null) throw new Error(`${machine.name} has no data disk: up --data-disks`);
  switch (trouble) {
    case "slow":
      return await disk.order({ kind: "slow", delayMs });
    case "full":
      // To the last block, which ext4 gives to small writes only; that dd fails is what was wanted.
      await machine.exec(["sh", "-c", `${fill("large", "1M")}; ${fill("small", "1k")}`]);
      return;
    case "ro":
      await machine.mustExec(["mount", "-o", "remount,abort", DATA_DISK]);
      return;
    case "lose-unflushed":
      return await machine.kill({ power: true, cache: true });
    case "ok":
      await disk.order({ kind: "ok" });
      if (machine.initPid !== null) await machine.exec(["rm", "-rf", FILLER]);
      return;
    default:
      return await disk.order({ kind: trouble });
  }
}
