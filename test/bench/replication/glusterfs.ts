/**
 * The peer: GlusterFS replica 2 of Debian with its own defaults. Its daemon runs in each machine,
 * with state and logs on that machine's disk (over its usual folders, which only that machine sees).
 */
import { waitFor } from "../../lab/command.ts";
import type { VirtualMachine } from "../../lab/virtual-machine.ts";

const HOME = "/srv/glusterfs";
const VOLUME = "bench";
const READY_MS = 60_000;

export type GlusterNode = { readonly machine: VirtualMachine; readonly address: string };

/** Makes the volume of two bricks and mounts it at `folder` in the first machine. */
export async function startGlusterfs(
  first: GlusterNode,
  second: GlusterNode,
  folder: string,
): Promise<void> {
  for (const { machine } of [first, second]) {
    const prepare = `mkdir -p ${HOME}/lib ${HOME}/log ${HOME}/brick /run/gluster "$1"
      mount --bind ${HOME}/lib /var/lib/glusterd
      mount --bind ${HOME}/log /var/log/glusterfs`;
    await machine.mustExec(["sh", "-ec", prepare, "sh", folder]);
    machine.start("glusterd", ["glusterd", "-N"]);
  }
  const gluster = (args: readonly string[]) =>
    first.machine.mustExec(["gluster", "--mode=script", ...args], { limitMs: READY_MS });
  await until("glusterd to answer", () => gluster(["peer", "status"]));
  await until("the other glusterd to answer", () => gluster(["peer", "probe", second.address]));
  await until("the two to know each other", async () => {
    const said = await gluster(["peer", "status"]);
    return said.includes("Peer in Cluster (Connected)") ? said : null;
  });
  const bricks = [first, second].map(({ address }) => `${address}:${HOME}/brick`);
  await until("the volume", () =>
    gluster(["volume", "create", VOLUME, "replica", "2", ...bricks, "force"]),
  );
  await gluster(["volume", "start", VOLUME]);
  await until("both bricks", async () => {
    const said = await gluster(["volume", "status", VOLUME, "detail"]);
    return said.match(/Online\s*: Y/g)?.length === 2 ? said : null;
  });
  await first.machine.mustExec(
    ["glusterfs", `--volfile-server=${first.address}`, `--volfile-id=${VOLUME}`, folder],
    { limitMs: READY_MS },
  );
  await until("its mount", () =>
    first.machine.mustExec(["sh", "-ec", 'mountpoint -q "$1"; ls "$1"', "sh", folder]),
  );
}

const until = (what: string, probe: () => Promise<string | null>): Promise<string> =>
  waitFor(`GlusterFS: ${what}`, probe, READY_MS, 250);
