/**
 * The agent where it mostly lives: as a service of systemd, with a module that starts a service of
 * systemd too. It must find the part of the control groups that was delegated to it, and its fence
 * must reach both what the scripts started themselves and what systemd started for them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { writeModuleArchive } from "../../model/archive/write-module-archive.ts";
import type { ClusterSnapshot, ModuleView } from "../../model/contract/snapshot.ts";
import { waitFor } from "../lab/command.ts";
import { lacking } from "../setup/needs.ts";
import { SystemdMachine, whyNoSystemd } from "./systemd-machine.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const AGENT = "mirrorfarm-agent";
const DATABASE = "database";
const STATE = "/srv/node1";
const CONTROL = "/srv/control";
const isRoot = process.getuid?.() === 0;
const LACKING = isRoot ? lacking("systemd", whyNoSystemd()) : " (needs root)";
const STEP_MS_MAX = 60_000;

let machine: SystemdMachine;
let secret = "";
beforeAll(async () => {
  if (LACKING !== "") return;
  machine = await SystemdMachine.boot();
  await machine.service("control-plane", [
    `ExecStart=${NODE} ${ROOT}/functions/local.ts --state ${CONTROL} --port 7400 --agent-listen 127.0.0.1:7443 --cluster prod --nodes node1=127.0.0.1,node2=127.0.0.2 --allow-loopback --timers fast`,
  ]);
  secret = await waitFor("the secret", () => read(`${CONTROL}/secret`) || null, STEP_MS_MAX);
  const token = await waitFor("a token", async () => await newToken(), STEP_MS_MAX);
  await mirrorfarm("join", "--state", STATE, "--node", "node1", "--token", token, ...TO_JOIN);
  await machine.installService(DATABASE, ["ExecStart=/bin/sleep 7771"]);
  await machine.service(AGENT, [
    // What a package would ship: the agent makes control groups below its own.
    "Delegate=yes",
    "KillMode=mixed",
    `ExecStart=${NODE} ${ROOT}/node-agent/guard/guard-main.ts -- ${NODE} ${ROOT}/node-agent/main.ts --state ${STATE} --bind default=127.0.0.1`,
  ]);
  await install();
}, 180_000);
afterAll(() => machine?.end(), 60_000);

const TO_JOIN = ["--url", "https://127.0.0.1:7443"];
const read = (path: string): string => {
  try {
    return readFileSync(machine.path(path), "utf8").trim();
  } catch {
    return "";
  }
};
async function mirrorfarm(...args: readonly string[]): Promise<string> {
  const cli = [NODE, join(ROOT, "node-agent", "cli", "cli-main.ts"), ...args];
  const known = [`MIRRORFARM_URL=http://127.0.0.1:7400`, `MIRRORFARM_SECRET=${secret}`];
  return await machine.mustExec(["env", ...known, ...cli]);
}
const newToken = async (): Promise<string | null> => {
  const made = await mirrorfarm(
    "--json",
    "token",
    "create",
    "node1",
    "--address",
    "default=127.0.0.1",
  );
  const { token }: { token?: string } = JSON.parse(made);
  return token ?? null;
};

/** A module whose start script starts a service of systemd, and a program of its own. */
async function install(): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    "conf/userconfig.xml": `<safe><service mode="mirror">
      <heart><heartbeat name="default"/></heart><user/>
      <errd polltimer="1s"><proc name="${DATABASE}" service="yes" class="prim"/></errd>
      </service></safe>`,
    "bin/start_prim": `#!/bin/sh\nsystemctl start ${DATABASE}\nsleep 7772 &\n`,
    "bin/stop_prim": `#!/bin/sh\nsystemctl stop ${DATABASE}\nexit 0\n`,
  };
  const archive = await writeModuleArchive(
    Object.entries(files).map(([path, text]) => {
      return { path, mode: path.startsWith("bin/") ? 0o755 : 0o644, bytes: Buffer.from(text) };
    }),
  );
  machine.write("/srv/shop.safe", archive);
  await mirrorfarm("module", "install", "/srv/shop.safe");
}
async function view(): Promise<ModuleView | undefined> {
  const { modules }: ClusterSnapshot = JSON.parse(await mirrorfarm("--json", "status"));
  return modules[0];
}

const events = (cgroup: string): string => read(`/sys/fs/cgroup/${cgroup}/cgroup.events`);
const isFrozen = (cgroup: string): boolean => events(cgroup).includes("frozen 1");
const SERVICE = `system.slice/${DATABASE}.service`;
const MODULE = `system.slice/${AGENT}.service/mirrorfarm/node1/shop`;

describe(`an agent that systemd runs${LACKING}`, () => {
  test.skipIf(LACKING !== "")(
    "holds a module's processes in what was delegated to it, and its fence reaches the module's units",
    async () => {
      onTestFailed(async () => {
        console.log((await machine.exec(["journalctl", "--no-pager", "-n", "80"])).stdout);
      });
      await mirrorfarm("module", "start", "shop", "--data-from", "node1", "--no-wait");
      const leading = await waitFor(
        "node1 to lead",
        async () => {
          const shop = await view();
          const node1 = shop?.nodes.find(({ nodeId }) => nodeId === "node1");
          return node1?.report?.state === "ALONE" && node1.report.readiness === "Ready"
            ? node1.report
            : null;
        },
        STEP_MS_MAX,
        500,
      );
      // Nothing to be said about a fence that could not reach everything.
      expect(leading.warnings?.join() ?? "").not.toMatch(/cgroup|systemd/);
      expect(events(SERVICE)).toContain("populated 1");
      const list = `xargs -a /sys/fs/cgroup/${MODULE}/cgroup.procs ps -o args= -p`;
      const commands = await machine.mustExec(["sh", "-c", list]);
      expect(commands).toContain("sleep 7772");
      // Its only voter goes away: no grant, and nothing of the module may run on.
      await machine.mustExec(["systemctl", "kill", "--signal=SIGKILL", "control-plane"]);
      await waitFor(
        "the fence",
        () => (isFrozen(MODULE) && isFrozen(SERVICE) ? true : null),
        60_000,
      );
    },
    180_000,
  );
});
