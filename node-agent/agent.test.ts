import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import type { ModuleEntry, NodeConfiguration } from "#model/contract/configuration.ts";
import type { NodeReport } from "#model/contract/report.ts";
import { err, ok } from "#model/shared/result.ts";
import { Agent, type AgentParts } from "./agent.ts";
import { ConfigurationStore } from "./configuration/configuration-store.ts";
import { ModuleStore } from "./configuration/module-store.ts";
import { QuietNode } from "./mirror/testing/quiet-node.ts";
import { EventOutbox } from "./reporting/event-outbox.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const NOBODY = err({ kind: "unknown", detail: "nobody there" } as const);

/** What the control plane would say, and what it was told. */
class ControlPlane {
  configuration: NodeConfiguration | null = null;
  readonly archives = new Map<string, Buffer>();
  readonly reports: NodeReport[] = [];
  asked = 0;
  #changed = Promise.withResolvers<void>();

  change(configuration: NodeConfiguration): void {
    this.configuration = configuration;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  client(): AgentParts["client"] {
    return {
      configuration: async (known, _waitMs, signal) => {
        this.asked += 1;
        if (this.configuration !== null && this.configuration.version !== known) {
          return ok(this.configuration);
        }
        // A long poll: until something changes, or the agent ends.
        const ended = new Promise((resolve) => signal?.addEventListener("abort", resolve));
        await Promise.race([this.#changed.promise, ended]);
        return this.configuration === null ? NOBODY : ok(this.configuration);
      },
      archive: async (_moduleId, sha256) => {
        const archive = this.archives.get(sha256);
        return archive === undefined ? NOBODY : ok(archive);
      },
      commands: async (_known, _waitMs, signal) => {
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
        return NOBODY;
      },
      acknowledge: async () => NOBODY,
      report: async (report) => {
        this.reports.push(report);
        const answer = { serverTimeMs: 0, configurationVersion: 1, commandsWaiting: 0 };
        return ok({ ...answer, nextReportMs: 60_000 });
      },
      clockOffset: null,
      close: () => undefined,
    };
  }
}

let node: QuietNode;
let control: ControlPlane;
let agent: Agent | null = null;
let hasPeer = true;
let lines: string[] = [];

beforeEach(() => {
  [hasPeer, lines] = [true, []];
  node = new QuietNode();
  control = new ControlPlane();
});
afterEach(async () => {
  await agent?.stop();
  agent = null;
  node.remove();
});

/** A new agent on this node's disk, which is up once it has said what it knows. */
async function start(): Promise<Agent> {
  const { directory, ports, nowMs } = node;
  agent = new Agent({
    ...{ nodeId: "node1", version: "1", bootId: "boot1", instanceId: "run1" },
    client: control.client(),
    configurations: new ConfigurationStore(directory),
    modules: new ModuleStore(directory, new Map()),
    events: new EventOutbox("run1", nowMs),
    openPeering: async () => (hasPeer ? node.quiet.peering : null),
    mirrorPorts: () => ports,
    nowUnixMs: nowMs,
    // What is spread around some time comes after a hundredth of it.
    random: () => -0.49,
    log: (text) => lines.push(text),
  });
  await agent.start();
  return agent;
}

async function archive(mode: "mirror" | "farm", salt: string): Promise<Buffer> {
  const inside =
    mode === "mirror"
      ? `<heart><heartbeat name="default"/></heart><user/>`
      : `<farm><lan name="default"/></farm><user/>`;
  const text = `<safe><service mode="${mode}">${inside}</service></safe><!-- ${salt} -->`;
  const bytes = Buffer.from(text);
  return Buffer.from(
    await writeModuleArchive([{ path: "conf/userconfig.xml", mode: 0o644, bytes }]),
  );
}

/** Uploads a module, as a person would; `known: false`: its archive cannot be fetched yet. */
async function upload(
  version: number,
  { mode = "mirror", known = true }: { mode?: "mirror" | "farm"; known?: boolean } = {},
): Promise<ModuleEntry> {
  const bytes = await archive(mode, `${version}`);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (known) control.archives.set(sha256, bytes);
  return {
    ...{ id: "shop", mode, version, sha256, bytes: bytes.length, nodes: ["node1", "node2"] },
    ...{ uploadedAtMs: 0, uploadedBy: "ann" },
  };
}
function configure(version: number, modules: readonly ModuleEntry[]): void {
  const { cluster } = node.ports;
  control.change({ version, cluster, modules: [...modules], caCertificates: [PEM] });
}
const says = (text: string) =>
  expect.poll(() => lines.join("\n"), { timeout: 15_000 }).toContain(text);

describe("an agent follows its cluster's configuration", () => {
  test("it installs, opens and reports a module that was uploaded", async () => {
    const running = await start();
    configure(1, [await upload(1)]);
    await says("runs version 1 of its configuration");
    expect([...running.mirrors.keys()]).toEqual(["shop"]);
    await expect.poll(() => control.reports.at(-1)?.modules[0]?.moduleId).toBe("shop");
    expect(running.probe("shop")).toBe("notReady");
    expect(running.probe("other")).toBe("notReady");
  });

  test("it starts from what is on its disk while nobody answers", async () => {
    await start();
    configure(1, [await upload(1)]);
    await says("runs version 1");
    await agent?.stop();
    control = new ControlPlane();
    const again = await start();
    expect([...again.mirrors.keys()]).toEqual(["shop"]);
  });

  test("a module at rest takes its new version at once", async () => {
    const running = await start();
    configure(1, [await upload(1)]);
    await says("runs version 1");
    configure(2, [await upload(2)]);
    await says("runs version 2");
    expect(running.mirrors.get("shop")?.installed.version).toBe(2);
  });

  test("a module that runs takes its new version when it has stopped", async () => {
    const running = await start();
    configure(1, [await upload(1)]);
    await says("runs version 1");
    const mirror = running.mirrors.get("shop");
    mirror?.module.command({ kind: "start", dataFrom: null });
    await expect.poll(() => mirror?.isAtRest).toBe(false);
    configure(2, [await upload(2)]);
    await says("version 2 takes effect when the module is stopped");
    expect(running.mirrors.get("shop")).toBe(mirror);
    mirror?.module.command({ kind: "stop" });
    await expect
      .poll(() => {
        node.tick();
        return running.mirrors.get("shop")?.installed.version;
      })
      .toBe(2);
  });

  test("a module that is not wanted any more is closed and its files go", async () => {
    const running = await start();
    configure(1, [await upload(1)]);
    await says("runs version 1");
    const file = join(node.directory, "modules", "shop", "installed.json");
    expect(existsSync(file)).toBe(true);
    configure(2, []);
    await says("shop is uninstalled");
    expect(running.mirrors.size).toBe(0);
    expect(existsSync(file)).toBe(false);
  });
});

describe("what an agent cannot run", () => {
  test("an archive that cannot be fetched is told, and tried again by itself", async () => {
    await start();
    const entry = await upload(1, { known: false });
    configure(1, [entry]);
    await says("cannot be installed: nobody there");
    control.archives.set(entry.sha256, await archive("mirror", "1"));
    await says("runs version 1");
  });

  test("another archive than the announced one is not installed", async () => {
    const running = await start();
    const entry = await upload(1);
    control.archives.set(entry.sha256, await archive("mirror", "another"));
    configure(1, [entry]);
    await says("the archive is not the one that was announced");
    expect(running.mirrors.size).toBe(0);
  });

  test("a farm is installed and not run, and neither is a mirror without a peer", async () => {
    const running = await start();
    configure(1, [await upload(1, { mode: "farm" })]);
    await says("installed, but not run: farm modules do not run");
    expect(running.mirrors.size).toBe(0);
    await running.stop();
    hasPeer = false;
    await start();
    configure(2, [await upload(2)]);
    await says("installed, but not run: this node has no peer yet");
  });

  test("a version that cannot run is told, and the next one is taken", async () => {
    const running = await start();
    configure(1, [await upload(1)]);
    await says("runs version 1");
    const { asked } = control;
    configure(2, [{ ...(await upload(2)), nodes: ["node1"] }]);
    await says("cannot run: shop: a mirror has two nodes");
    expect(running.mirrors.size).toBe(0);
    configure(3, [await upload(3)]);
    await says("runs version 3");
    expect(control.asked).toBeGreaterThan(asked);
  });
});

test("an agent that ends tells its last word, and leaves its modules in order", async () => {
  const running = await start();
  configure(1, [await upload(1)]);
  await says("runs version 1");
  const told = control.reports.length;
  await running.stop();
  agent = null;
  expect(control.reports.length).toBeGreaterThan(told);
  expect(running.mirrors.get("shop")?.isAtRest).toBe(true);
});
