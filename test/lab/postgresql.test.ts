/**
 * The main promise, on a real application: PostgreSQL's clients commit through the address while a
 * machine, an agent, the application, a link or the control plane dies, and no commit that was
 * acknowledged is ever lost. The judge runs outside both nodes.
 *
 * The tests run in order on one cluster: each leaves it as PRIM and SECOND. Here each fault comes
 * once; `npm run test:long -- lab --rounds N` goes round N times (3 when nothing is said).
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import type { ClusterSnapshot } from "../../model/contract/snapshot.ts";
import { MODULES_FOLDER } from "../setup/module-archive.ts";
import {
  CLI_IN_CONTROL,
  type LabCluster,
  startCluster,
  startControlPlane,
  startServices,
} from "./cluster.ts";
import { must, run, waitFor } from "./command.ts";
import { CommitJudge } from "./commit-judge.ts";
import { Lab } from "./lab.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const TREES = ["/srv/data/postgresql", "/srv/data/postgresql-wal"];
/** Debian keeps what is not for every day out of the PATH. */
const BIN = "$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)";
const SETTLED_MS = 90_000;
/** Beside the database, in its replicated directory. */
const FILLER = "/srv/data/postgresql/filler";
const FILLER_BYTES = 200_000_000;
/** So that copying it takes four seconds at least, on whatever machine: that is long to look at. */
const RESYNC_KB_PER_SECOND = 50_000;

const isLong = process.env["MIRRORFARM_LONG"] === "1";
const ROUNDS = Number(process.env["MIRRORFARM_ROUNDS"] || (isLong ? 3 : 1));

type NodeName = "node1" | "node2";
const other = (node: NodeName): NodeName => (node === "node1" ? "node2" : "node1");

let lab: Lab;
let cluster: LabCluster;
let judge: CommitJudge;

beforeAll(async () => {
  lab = await Lab.up();
  const folder = slowlyResynced(join(MODULES_FOLDER, "postgresql"));
  cluster = await startCluster(lab, { say: () => undefined, module: "postgresql", folder });
  rmSync(folder, { recursive: true });
  await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, SETTLED_MS);
  judge = new CommitJudge(lab, cluster.vip);
  await judge.createTable();
}, 180_000);

afterAll(async () => {
  await cluster?.close();
  await lab?.down();
}, 60_000);

/** A copy of the module whose resync has a bandwidth. */
function slowlyResynced(module: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lab-module-"));
  cpSync(module, folder, { recursive: true });
  const file = join(folder, "conf", "userconfig.xml");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("<rfs>", `<rfs reiallowedbw="${RESYNC_KB_PER_SECOND}">`));
  return folder;
}

/** The node that is primary now, both being in step. */
async function settled(): Promise<NodeName> {
  return await waitFor(
    "one PRIM and one SECOND",
    async () => {
      const reports = await Promise.all([cluster.report("node1"), cluster.report("node2")]);
      const states = reports.map((report) => `${report?.state} ${report?.readiness}`);
      if (states.join() === "PRIM Ready,SECOND Ready") return "node1" as const;
      if (states.join() === "SECOND Ready,PRIM Ready") return "node2" as const;
      return null;
    },
    SETTLED_MS,
    100,
  );
}

/** The database's first process, as its data directory has it, and the epoch that it runs under. */
async function running(primary: NodeName): Promise<{ epoch: number; postmaster: string }> {
  const asked = `head -n 1 ${TREES[0]}/main/postmaster.pid || true`;
  const postmaster = await lab.machine(primary).mustExec(["sh", "-c", asked]);
  return { epoch: (await cluster.view()).witness?.epoch ?? 0, postmaster: postmaster.trim() };
}

/** Until the nodes are in step again: what people are shown of the resync rises to its total. */
async function seesResync(primary: NodeName): Promise<void> {
  const seen: { readonly done: number; readonly total: number }[] = [];
  let byCommand: Promise<unknown> | null = null;
  await waitFor(
    "the resync to be seen, and to end",
    async () => {
      const { nodes, witness } = await cluster.view();
      const facts = nodes.find(({ nodeId }) => nodeId === primary)?.report?.replication;
      const resync = facts?.resync ?? null;
      const isInStep = witness?.inSync.length === 2;
      if (resync !== null && resync.totalBytes > 0) {
        expect(isInStep).toBe(false);
        seen.push({ done: resync.doneBytes, total: resync.totalBytes });
        byCommand ??= statusByCommand(primary);
      }
      return isInStep && facts?.attached === true ? true : null;
    },
    SETTLED_MS,
  );
  const done = seen.map((one) => one.done);
  const total = seen.at(-1)?.total ?? 0;
  console.log(`the resync was seen at ${[...new Set(done)].join(", ")} of ${total} bytes`);
  expect(total).toBeGreaterThan(FILLER_BYTES);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(new Set(done).size).toBeGreaterThan(3);
  expect(seen.every((one) => one.done <= one.total)).toBe(true);
  expect(await byCommand).toMatchObject({
    ...{ kind: "delta", doneBytes: expect.any(Number), totalBytes: expect.any(Number) },
  });
}

/** The resync as `mirrorfarm status --json` shows it. */
async function statusByCommand(node: NodeName): Promise<unknown> {
  const asked = await lab
    .machine("control")
    .mustExec(["sh", "-c", `${CLI_IN_CONTROL} status --json`]);
  const { modules }: ClusterSnapshot = JSON.parse(asked);
  const entry = modules.flatMap(({ nodes }) => nodes).find(({ nodeId }) => nodeId === node);
  return entry?.report?.replication?.resync ?? null;
}

/** Runs a fault under load and judges afterwards: nothing acknowledged may be missing. */
async function underLoad(fault: (primary: NodeName) => Promise<void>): Promise<void> {
  onTestFailed(() => console.log(cluster.logs()));
  const primary = await settled();
  judge.start();
  await judge.acknowledges(50, 30_000);
  await fault(primary);
  await judge.acknowledges(50, 60_000);
  await settled();
  await judge.acknowledges(20, 60_000);
  await judge.stop();
  expect(await judge.lost()).toEqual([]);
}

const rounds = Array.from({ length: ROUNDS }, (_, index) => index + 1);

describe.each(rounds)("PostgreSQL as a mirror, round %i", () => {
  test("a primary that loses its power is replaced, returns, and leads again", async () => {
    await underLoad(async (primary) => {
      await lab.machine(primary).kill({ power: true });
      await cluster.waitForStates({ [other(primary)]: "ALONE" }, 60_000);
      await judge.acknowledges(50, 60_000);
      // Enough to be copied that people see the resync on its way.
      const filler = `head -c ${FILLER_BYTES} /dev/urandom > ${FILLER}`;
      await lab.machine(other(primary)).mustExec(["sh", "-c", filler]);
      await lab.machine(primary).boot();
      await startServices(lab, primary);
      await seesResync(other(primary));
      await cluster.waitForStates({ [other(primary)]: "PRIM", [primary]: "SECOND" }, SETTLED_MS);
      await lab.machine(other(primary)).mustExec(["rm", FILLER]);
      await cluster.command({ kind: "switchover" });
      await cluster.waitForStates({ [primary]: "PRIM", [other(primary)]: "SECOND" }, SETTLED_MS);
    });
    const checked = await lab
      .machine("client")
      .exec([
        ...["sh", "-c"],
        `${BIN}/pg_amcheck -h ${cluster.vip} -U postgres --install-missing postgres`,
      ]);
    expect(checked).toMatchObject({ code: 0 });
  });

  test("an agent that is killed comes back to the same PostgreSQL, and nothing is lost", async () => {
    await underLoad(async (primary) => {
      const before = await running(primary);
      await lab
        .machine(primary)
        .mustExec(["sh", "-c", "pkill -KILL -P $(pgrep -of guard-main.ts)"]);
      await judge.acknowledges(50, 60_000);
      await settled();
      const after = await running(primary);
      console.log(`an agent was killed: ${JSON.stringify({ before, after })}`);
      // On a machine too slow for its leases the other node takes over, in its own right.
      if (after.epoch === before.epoch) expect(after).toEqual(before);
    });
  });

  test("an agent that is killed and cannot return is fenced by its guard and replaced", async () => {
    await underLoad(async (primary) => {
      const machine = lab.machine(primary);
      // Without its identity a new agent refuses to start, and the guard gives up.
      await machine.mustExec(["mv", "/srv/mirrorfarm/node.json", "/srv/mirrorfarm/node.aside"]);
      await machine.mustExec(["sh", "-c", "pkill -KILL -P $(pgrep -of guard-main.ts)"]);
      await cluster.waitForStates({ [other(primary)]: "ALONE" }, 30_000);
      const shown = await lab.network.inHost(primary, "ip -4 -o addr show dev eth0");
      expect(shown).not.toContain(cluster.vip);
      expect((await machine.exec(["pgrep", "postgres"])).code).toBe(1);
      await judge.acknowledges(20, 30_000);
      await machine.mustExec(["mv", "/srv/mirrorfarm/node.aside", "/srv/mirrorfarm/node.json"]);
      await startServices(lab, primary);
    });
  });

  test("an application that is killed is started again in place", async () => {
    await underLoad(async (primary) => {
      const epoch = (await cluster.view()).witness?.epoch;
      await lab.machine(primary).mustExec(["pkill", "-KILL", "postgres"]);
      await judge.acknowledges(20, 60_000);
      expect((await cluster.view()).witness).toMatchObject({ epoch, primary });
    });
  });

  test("of two nodes cut from each other exactly one serves", async () => {
    await underLoad(async (primary) => {
      await lab.network.cut(primary, other(primary));
      await cluster.waitForStates({ [primary]: "ALONE" }, 30_000);
      await judge.acknowledges(20, 30_000);
      expect((await cluster.report(other(primary)))?.state).not.toBe("ALONE");
      await lab.network.heal();
    });
  });

  test("a primary cut from everybody else fences itself and is replaced", async () => {
    await underLoad(async (primary) => {
      await lab.network.cut(primary, other(primary));
      await lab.network.cut(primary, "control");
      await cluster.waitForStates({ [other(primary)]: "ALONE" }, 30_000);
      const addresses = await lab.network.inHost(primary, "ip -4 -o addr show dev eth0");
      expect(addresses).not.toContain(cluster.vip);
      await judge.acknowledges(20, 30_000);
      await lab.network.heal();
    });
  });

  test("without the control plane service and replication go on", async () => {
    await underLoad(async () => {
      await lab.machine("control").kill();
      await judge.acknowledges(100, 60_000);
      await lab.machine("control").boot();
      startControlPlane(lab, "default");
    });
  });

  test("without control plane and secondary a primary fences, and thaws when one returns", async () => {
    await underLoad(async (primary) => {
      await lab.machine("control").kill();
      await judge.acknowledges(50, 60_000);
      await lab.machine(other(primary)).kill();
      await waitFor(
        "the address to leave the interface",
        async () => {
          const shown = await lab.network.inHost(primary, "ip -4 -o addr show dev eth0");
          return shown.includes(cluster.vip) ? null : true;
        },
        20_000,
      );
      await lab.machine("control").boot();
      startControlPlane(lab, "default");
      await judge.acknowledges(20, 60_000);
      await lab.machine(other(primary)).boot();
      await startServices(lab, other(primary));
    });
  });
});

describe("afterwards", () => {
  test("both copies are equal in the end, and PostgreSQL finds its data sound", async () => {
    onTestFailed(() => console.log(cluster.logs()));
    const primary = await settled();
    await judge.psql("CHECKPOINT");
    // Nothing may write while two machines are compared.
    await lab.machine(primary).mustExec(["pkill", "-STOP", "postgres"]);
    for (const tree of TREES) {
      const paths = [lab.machine("node1").path(tree), lab.machine("node2").path(tree)];
      const cli = join(ROOT, "node-agent", "resync", "tree-digest-cli.ts");
      await waitFor(
        `${tree} to be equal on both nodes`,
        async () => ((await run(NODE, [cli, ...paths])).code === 0 ? true : null),
        20_000,
      );
      console.log((await must(NODE, [cli, ...paths])).trim());
    }
    await lab.machine(primary).mustExec(["pkill", "-CONT", "postgres"]);
    await cluster.command({ kind: "stop" });
    await lab.machine(primary).mustExec([
      ...["sh", "-c"],
      `setpriv --reuid=postgres --regid=postgres --init-groups \
         ${BIN}/pg_checksums --check -D ${TREES[0]}/main`,
    ]);
  });
});
