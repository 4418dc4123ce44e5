import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import type { NodeCommand } from "#model/contract/commands.ts";
import type { ModuleReport, NodeReport } from "#model/contract/report.ts";
import { report } from "../../functions/testing/test-report.ts";
import { TestServer } from "../../functions/testing/test-server.ts";
import { ControlPlaneClient } from "../control-plane/client.ts";
import { loadIdentity } from "../identity/identity-store.ts";
import { run } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** The command line against a real control plane; nodes are spoken for by their real client. */

const USERCONFIG = `<safe>
<service mode="mirror" defaultprim="alone" maxloop="3" loop_interval="24" failover="on">
  <heart pulse="700" timeout="30000"><heartbeat name="default"/></heart>
  <rfs><replicated dir="/srv/shop"/></rfs>
</service></safe>`;

let server: TestServer;
let folder: string;
let archive: string;
let state: (nodeId: string) => string;
const clients: ControlPlaneClient[] = [];

/** One command line: what it printed and its status. */
async function cli(args: string[], ports: Partial<Terminal> & { input?: string } = {}) {
  const out: string[] = [];
  const errors: string[] = [];
  const { input = "", ...terminal } = ports;
  const status = await run(args, {
    terminal: {
      out: (text) => out.push(text),
      err: (text) => errors.push(text),
      isInteractive: false,
      isScreen: false,
      ask: async () => "",
      nowMs: () => Date.now(),
      signal: new AbortController().signal,
      ...terminal,
    },
    environment: { MIRRORFARM_URL: server.served.url, HOME: folder },
    readInput: async () => input,
  });
  return { status, out: out.join("\n"), err: errors.join("\n") };
}

/** A node joins by the command line; its client then speaks for it. */
async function joinNode(nodeId: string): Promise<ControlPlaneClient> {
  const token = await cli(["token", "create", nodeId]);
  expect(token).toMatchObject({ status: 0 });
  const url = server.served.agentUrl;
  const args = ["join", "--url", url, "--node", nodeId, "--state", state(nodeId)];
  const joined = await cli(args, { input: `${token.out}\n` });
  expect(joined).toEqual({ status: 0, out: `${nodeId} has joined prod`, err: "" });
  const identity = await loadIdentity(state(nodeId));
  if (!identity.ok) throw new Error("no identity");
  const client = new ControlPlaneClient(identity.value, {
    nowMs: () => Date.now(),
    bootMs: () => performance.now(),
    random: () => 0.5,
  });
  clients.push(client);
  return client;
}

function withModule(base: NodeReport, change: Partial<ModuleReport>): NodeReport {
  return { ...base, modules: base.modules.map((module) => ({ ...module, ...change })) };
}

beforeAll(async () => {
  server = await TestServer.start();
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-cli-"));
  state = (nodeId) => join(folder, nodeId);
  archive = join(folder, "shop.safe");
  const files = [
    { path: "conf/userconfig.xml", bytes: Buffer.from(USERCONFIG), mode: 0o644 as const },
  ];
  writeFileSync(archive, await writeModuleArchive(files));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("in the order in which a newcomer meets them", () => {
  test("an empty cluster says what to do", async () => {
    const { status, out } = await cli(["status"]);
    expect(status).toBe(0);
    expect(out).toContain("No modules. Install one: mirrorfarm module install FILE.safe");
  });

  test("a module is validated without a control plane, and mistakes have their place", async () => {
    expect(await cli(["module", "validate", archive])).toMatchObject({ status: 0 });
    const bad = join(folder, "bad.safe");
    const text = USERCONFIG.replace("pulse=", "puls=");
    const files = [{ path: "conf/userconfig.xml", bytes: Buffer.from(text), mode: 0o644 as const }];
    writeFileSync(bad, await writeModuleArchive(files));
    const { status, err } = await cli(["module", "validate", bad]);
    expect(status).toBe(1);
    expect(err).toContain("conf/userconfig.xml:3:10");
    expect(await cli(["module", "validate", "/nowhere.safe"])).toMatchObject({ status: 3 });
  });

  test("a dry run stores nothing, an install does", async () => {
    const dry = await cli(["module", "install", archive, "--dry-run"]);
    expect(dry.out).toContain("judged, not stored");
    expect(await cli(["module", "wait", "shop", "--health", "Stopped"])).toMatchObject({
      status: 3,
    });
    const installed = await cli(["module", "install", archive]);
    expect(installed).toMatchObject({ status: 0 });
    expect(installed.out).toBe("shop version 1 installed, on node1, node2");
  });

  test("nodes join by a one-time token", async () => {
    await joinNode("node1");
    await joinNode("node2");
    const args = ["join", "--url", "https://127.0.0.1:1", "--node", "node1"];
    const again = await cli([...args, "--state", state("node1")]);
    expect(again).toMatchObject({ status: 8 });
    expect(again.err).toContain("this machine is node1 of prod already");
    const token = `mft1.${"x".repeat(43)}.${server.served.caFingerprint}`;
    const url = ["--url", server.served.agentUrl, "--node", "node1"];
    const spent = await cli(["join", ...url, "--state", join(folder, "n"), "--token", token]);
    expect(spent).toMatchObject({ status: 5 });
  });

  test("status shows what the nodes report, and exits by health", async () => {
    const [one, two] = clients;
    await one?.report(report("PRIM"));
    await two?.report(report("SECOND"));
    const { status, out } = await cli(["status", "--exit-code"]);
    expect(out).toMatch(/shop +Protected/);
    expect(out).toMatch(/shop +node1 +● PRIM/);
    expect(out).toMatch(/shop +node2 +◐ SECOND/);
    expect(status).toBe(0);
    await one?.report(report("ALONE"));
    await two?.report(report("WAIT"));
    expect((await cli(["status", "--exit-code"])).status).toBe(10);
    const json = JSON.parse((await cli(["--json", "status"])).out);
    expect(json.modules[0]).toMatchObject({ id: "shop", health: "Unprotected" });
  });

  test("what a node says cannot steer the terminal", async () => {
    await clients[0]?.report(withModule(report("ALONE"), { why: "red \u001b[31m\nalert" }));
    const { out } = await cli(["status"]);
    expect(out).toContain("red \\u001b[31m\\u000aalert");
  });

  test("events are listed and filtered, as text and as JSON lines", async () => {
    const all = await cli(["events", "--utc", "--limit", "200"]);
    expect(all.out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z [CEUSID] /);
    const lines = (await cli(["--json", "events", "--module", "shop"])).out.split("\n");
    expect(lines.every((line) => JSON.parse(line).moduleId === "shop")).toBe(true);
    expect(await cli(["events", "--since", "yesterday"])).toMatchObject({ status: 2 });
  });
});

describe("an action", () => {
  test("is followed to its end by what the nodes tell", async () => {
    const started = cli(["module", "restart", "shop", "--node", "node1", "--timeout", "20s"]);
    const [one] = clients;
    const fetched = await one?.commands([], 10_000);
    if (!fetched?.ok || fetched.value.commands[0] === undefined) throw new Error("no command");
    const [{ id, kind }] = fetched.value.commands;
    expect(kind).toBe("restart");
    await one?.acknowledge([{ id, outcome: "done", text: "restarted" }]);
    const { status, err } = await started;
    expect(err).toContain("node1: restart done (restarted)");
    expect(status).toBe(0);
  });

  test("that a node refuses ends with 4", async () => {
    const asked = cli(["module", "restart", "shop", "--node", "node1", "--timeout", "20s"]);
    const fetched = await clients[0]?.commands([], 10_000);
    if (!fetched?.ok || fetched.value.commands[0] === undefined) throw new Error("no command");
    const [{ id }] = fetched.value.commands;
    await clients[0]?.acknowledge([{ id, outcome: "refused", text: "not now" }]);
    expect(await asked).toMatchObject({ status: 4 });
  });

  test("that takes too long ends with 6 and goes on", async () => {
    const asked = await cli(["module", "restart", "shop", "--node", "node1", "--timeout", "1s"]);
    expect(asked).toMatchObject({ status: 6 });
    expect(asked.err).toContain("still running after 1 s: operation");
  });

  test("is not followed with --no-wait, and Ctrl-C detaches", async () => {
    const once = await cli(["module", "restart", "shop", "--node", "node2", "--no-wait"]);
    expect(once).toMatchObject({ status: 0 });
    const interrupt = new AbortController();
    const asked = cli(["module", "restart", "shop", "--node", "node2"], {
      signal: interrupt.signal,
      err: () => interrupt.abort(),
    });
    expect(await asked).toMatchObject({ status: 130 });
  });
});

describe("maintenance", () => {
  test("is asked for with its time and reason, and followed to its end", async () => {
    const words = ["module", "maintenance", "on", "shop", "--for", "2h", "--reason", "new memory"];
    const asked = cli([...words, "--timeout", "20s"]);
    for (const client of clients) {
      // What earlier tests left open comes first.
      const known: string[] = [];
      let command: NodeCommand | undefined;
      for (let poll = 0; poll < 5 && command === undefined; poll += 1) {
        const fetched = await client.commands(known, 10_000);
        if (!fetched.ok) throw new Error("no command");
        known.push(...fetched.value.commands.map(({ id }) => id));
        command = fetched.value.commands.find(({ kind }) => kind === "maintenance-on");
      }
      expect(command).toMatchObject({ forMs: 7_200_000, reason: "new memory" });
      await client.acknowledge([{ id: command?.id ?? "", outcome: "done", text: "so be it" }]);
    }
    expect(await asked).toMatchObject({ status: 0 });
  });

  test("is in the status, for people and for programs", async () => {
    const maintenance = { untilMs: Date.now() + 7_200_000, by: "person:ann", reason: "new memory" };
    await clients[0]?.report(withModule(report("ALONE"), { maintenance }));
    expect((await cli(["status"])).out).toMatch(/In maintenance until .*, by person:ann: no auto/);
    const [shop] = JSON.parse((await cli(["--json", "status"])).out).modules;
    expect(shop.maintenance).toMatchObject({ by: "person:ann", reason: "new memory" });
    await clients[0]?.report(report("ALONE"));
  });

  test("lasts an hour where nothing is said, and a week at most", async () => {
    const help = await cli(["module", "maintenance", "on", "--help"]);
    expect(help.out).toContain("at most 7d");
    const late = await cli(["module", "maintenance", "on", "shop", "--for", "8d"]);
    expect(late).toMatchObject({ status: 2 });
    const asked = await cli(["--json", "module", "maintenance", "on", "shop", "--no-wait"]);
    expect(JSON.parse(asked.out)).toMatchObject({ kind: "maintenance-on", forMs: 3_600_000 });
  });
});

describe("danger", () => {
  const force = ["module", "force-primary", "shop", "--to", "node2", "--no-wait"];

  test("is refused where nobody can be asked, with what to say", async () => {
    const { status, err } = await cli(force);
    expect(status).toBe(2);
    expect(err).toContain("say --yes --confirm shop");
    expect(err).toMatch(/node1 last reported .* ago, as ALONE/);
    expect(err).toContain("nobody can tell");
    expect(await cli([...force, "--yes"])).toMatchObject({ status: 2 });
    expect(await cli([...force, "--yes", "--confirm", "mail"])).toMatchObject({ status: 2 });
  });

  test("needs the module's name typed", async () => {
    const person = { isInteractive: true, ask: async () => "yes" };
    expect(await cli(force, person)).toMatchObject({ status: 1 });
    const typed = await cli(force, { ...person, ask: async () => "shop" });
    // Confirmed: from here the control plane judges it by its own rules.
    expect([0, 4, 8]).toContain(typed.status);
    expect(typed.err).not.toContain("not confirmed");
  });

  test("an uninstall asks too, and does it", async () => {
    expect(await cli(["module", "uninstall", "shop"])).toMatchObject({ status: 2 });
    const args = ["module", "uninstall", "shop", "--yes", "--confirm", "shop"];
    const done = await cli(args);
    expect([0, 8]).toContain(done.status);
  });
});

describe("mistakes", () => {
  test.each([
    [["modul"], 2],
    [["module", "strat", "shop"], 2],
    [["module", "wait", "shop"], 2],
    [["status", "--nonsense"], 2],
    [["--local", "events"], 2],
    [["module", "switch", "nothing"], 3],
    [["--cluster", "nowhere", "status"], 3],
    [["--local", "--state", "/nowhere", "status"], 7],
    [["--help"], 0],
  ])("%j ends with %i", async (args, expected) => {
    expect((await cli(args)).status).toBe(expected);
  });

  test("a wrong secret ends with 5, an absent control plane with 7", async () => {
    const ports = { readInput: async () => "" };
    const terminal: Terminal = {
      out: () => {},
      err: () => {},
      isInteractive: false,
      isScreen: false,
      ask: async () => "",
      nowMs: () => Date.now(),
      signal: new AbortController().signal,
    };
    const MIRRORFARM_SECRET = "z".repeat(43);
    const wrong = { MIRRORFARM_URL: server.served.apiUrl, MIRRORFARM_SECRET };
    const gone = { MIRRORFARM_URL: "http://127.0.0.1:1", MIRRORFARM_SECRET };
    expect(await run(["status"], { ...ports, terminal, environment: wrong })).toBe(5);
    expect(await run(["status"], { ...ports, terminal, environment: gone })).toBe(7);
    expect(await run(["status"], { ...ports, terminal, environment: { HOME: folder } })).toBe(5);
  });

  test("the real process ends with the same status, and says it on standard error", async () => {
    const path = new URL("./cli-main.ts", import.meta.url).pathname;
    const args = [path, "module", "switch", "nothing"];
    const env = { ...process.env, MIRRORFARM_URL: server.served.url };
    const ended = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) =>
      execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      ),
    );
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toContain("there is no module nothing");
  });
});

describe("--local", () => {
  let agent: Server;
  let directory: string;
  const asked: string[] = [];
  const bodies: unknown[] = [];
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "mirrorfarm-agent-"));
    agent = createServer((incoming, response) => {
      asked.push(`${incoming.method} ${incoming.url}`);
      incoming.on("data", (bytes) => bodies.push(JSON.parse(String(bytes))));
      const status = { clusterId: "prod", nodeId: "node1", report: report("PRIM") };
      const refused = { id: "c1", outcome: "refused", text: "node1 is not in the in-sync set" };
      response.end(JSON.stringify(incoming.method === "GET" ? status : refused));
    });
    await new Promise<void>((resolve) => agent.listen(join(directory, "agent.sock"), resolve));
  });
  afterEach(async () => {
    await new Promise((resolve) => agent.close(resolve));
    rmSync(directory, { recursive: true });
  });

  test("asks this node's agent, which may refuse like the control plane", async () => {
    const local = ["--local", "--state", directory];
    expect((await cli([...local, "status"])).out).toMatch(/shop +node1 +● PRIM/);
    const forced = ["module", "force-primary", "shop", "--to", "node1", "--yes"];
    const refused = await cli([...local, ...forced, "--confirm", "shop"]);
    expect(refused).toMatchObject({ status: 4, out: "node1 is not in the in-sync set" });
    expect(asked.at(-1)).toBe("POST /v1/modules/shop/commands");
    expect(bodies.at(-1)).not.toHaveProperty("withoutWitness");
    await cli([...local, ...forced, "--confirm", "shop", "--without-witness"]);
    expect(bodies.at(-1)).toMatchObject({ kind: "force-primary", withoutWitness: true });
    const said = await cli([...local, "module", "force-primary", "shop", "--to", "node1"]);
    expect(said).toMatchObject({ status: 2 });
    expect(said.err).toContain("whether another node went on without it, it cannot tell");
    await cli([...local, "module", "maintenance", "on", "shop", "--for", "30m"]);
    expect(bodies.at(-1)).toMatchObject({ kind: "maintenance-on", forMs: 1_800_000 });
  });
});
