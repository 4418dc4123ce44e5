/**
 * Mirrorfarm in the lab: a control plane in one machine, an agent with its guard in each node, one
 * module. Everything is started as an administrator would, by the product's own programs.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModuleReport } from "#model/contract/report.ts";
import type { ClusterSnapshot, ModuleView } from "#model/contract/snapshot.ts";
import { MODULES_FOLDER, packModule } from "../setup/module-archive.ts";
import { PeopleClient } from "../setup/people-client.ts";
import { waitFor } from "./command.ts";
import { LAB_VIP, type Lab } from "./lab.ts";
import { NamespaceFetch } from "./namespace-fetch.ts";
import { steppableClock } from "./wall-clock.ts";
import { WitnessDoor } from "./witness-door.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const STATE = "/srv/mirrorfarm";
const CONTROL_ADDRESS = "10.77.0.10";
const PEOPLE_PORT = 7400;
const AGENT_PORT = 7443;
const NODES = ["node1", "node2"] as const;
const CLUSTER = "lab";

/** What a person's shell in the control machine needs to speak to the control plane. */
export const CLI_IN_CONTROL = `. ${STATE}/environment; exec ${NODE} ${join(ROOT, "node-agent", "cli", "cli-main.ts")}`;

export type ClusterOptions = {
  /** Progress, for a person who waits. */
  say(text: string): void;
  /** The module's name: a folder of the playground's modules, unless `folder` is given. */
  readonly module: string;
  readonly folder?: string;
  readonly macros?: Readonly<Record<string, string>>;
  readonly timers?: "fast" | "default" | "tolerant";
  /** The nodes' wall clocks can be stepped, and a proxy stands before the control plane. */
  readonly hasFaults?: boolean;
};

/** Makes the cluster and starts its module; nobody waits for the roles yet. */
export async function startCluster(lab: Lab, options: ClusterOptions): Promise<LabCluster> {
  const { say, module } = options;
  say("starting the control plane");
  startControlPlane(lab, options.timers ?? "default");
  const cluster = await LabCluster.connect(lab, module);
  if (options.hasFaults === true) await witnessDoor(lab).open();
  for (const name of NODES) {
    say(`letting ${name} in`);
    await joinNode(lab, cluster, name);
    startAgent(lab, name, options.hasFaults);
  }
  say(`installing ${module}`);
  const archive = await packModule(options.folder ?? join(MODULES_FOLDER, module), options.macros);
  const uploaded = await cluster.people.upload(module, archive);
  if (!uploaded.ok) throw new Error(`upload: ${uploaded.status} ${uploaded.text}`);
  await cluster.waitForStates({ node1: "STOP", node2: "STOP" }, 30_000);
  say(`starting ${module}`);
  await cluster.command({ kind: "start" });
  return cluster;
}

/** What runs in a machine after it has booted: what an init system would start. */
export async function startServices(lab: Lab, name: string, hasFaults = false): Promise<void> {
  if (name !== "control") return startAgent(lab, name, hasFaults);
  startControlPlane(lab, "default");
  // Where the door was opened once, packets are still led to it.
  if (hasFaults) await witnessDoor(lab).open();
}

export function startControlPlane(lab: Lab, timers: string): void {
  const nodes = NODES.map((name) => `${name}=${lab.network.address(name)}`).join(",");
  lab
    .machine("control")
    .start("control-plane", [
      ...[NODE, join(ROOT, "functions", "local.ts"), "--state", STATE],
      ...["--port", String(PEOPLE_PORT), "--agent-listen", `${CONTROL_ADDRESS}:${AGENT_PORT}`],
      ...["--cluster", CLUSTER, "--nodes", nodes, "--address-driver", "arp"],
      ...["--timers", timers, "--json"],
    ]);
}

/** Ends the control plane in order; its machine and files stay. */
export async function stopControlPlane(lab: Lab): Promise<void> {
  const control = lab.machine("control");
  await control.exec(["pkill", "-TERM", "-f", "functions/local.ts"]);
  await waitFor(
    "the control plane to end",
    async () =>
      (await control.exec(["pgrep", "-f", "functions/local.ts"])).code === 1 ? true : null,
    20_000,
  );
}

/** What stands between the agents and the control plane, once it has been opened. */
export const witnessDoor = (lab: Lab): WitnessDoor =>
  new WitnessDoor(lab, { address: CONTROL_ADDRESS, port: AGENT_PORT, state: STATE });

export function startAgent(lab: Lab, name: string, hasFaults = false): void {
  const agent = [
    ...[NODE, join(ROOT, "node-agent", "guard", "guard-main.ts"), "--"],
    ...[NODE, join(ROOT, "node-agent", "main.ts"), "--state", STATE],
  ];
  const machine = lab.machine(name);
  const clock = hasFaults ? steppableClock(machine) : {};
  // For modules whose scripts need this Node themselves.
  machine.start("agent", agent, { ...clock, ANSWER_NODE: NODE });
}

async function joinNode(lab: Lab, cluster: LabCluster, name: string): Promise<void> {
  const token = await cluster.people.token(name, { default: lab.network.address(name) });
  if (!token.ok) throw new Error(`token: ${token.status} ${token.text}`);
  await lab
    .machine(name)
    .mustExec([
      ...[NODE, join(ROOT, "node-agent", "cli", "cli-main.ts"), "join", "--state", STATE],
      ...["--node", name],
      ...["--token", String(token.value.token), "--url", token.value.agentUrl],
    ]);
}

export type NodeName = (typeof NODES)[number];

/** A running cluster, seen and steered as a person does. */
export class LabCluster {
  readonly people: PeopleClient;
  readonly module: string;
  readonly #lab: Lab;
  readonly #fetch: NamespaceFetch;

  private constructor(lab: Lab, module: string, fetch: NamespaceFetch, secret: string) {
    this.#lab = lab;
    this.module = module;
    this.#fetch = fetch;
    const transport = fetch.transport(`http://127.0.0.1:${PEOPLE_PORT}`);
    this.people = new PeopleClient(transport, secret, CLUSTER);
  }

  static async connect(lab: Lab, module: string): Promise<LabCluster> {
    const control = lab.machine("control");
    const secretPath = control.path(join(STATE, "secret"));
    const secret = await waitFor(
      `the control plane's secret (${control.log("control-plane").slice(-500)})`,
      () => (existsSync(secretPath) ? readFileSync(secretPath, "utf8").trim() : null),
      20_000,
    );
    const fetch = new NamespaceFetch(lab.network.namespacePath("control"));
    const cluster = new LabCluster(lab, module, fetch, secret);
    writeFileSync(
      control.path(join(STATE, "environment")),
      `export MIRRORFARM_URL=http://127.0.0.1:${PEOPLE_PORT} MIRRORFARM_SECRET=${secret}\n`,
      { mode: 0o600 },
    );
    await waitFor(
      "the control plane to answer",
      async () => ((await cluster.people.snapshot()).ok ? true : null),
      20_000,
    );
    return cluster;
  }

  async snapshot(): Promise<ClusterSnapshot> {
    const answer = await this.people.snapshot();
    if (!answer.ok) throw new Error(`snapshot: ${answer.status} ${answer.text}`);
    return answer.value;
  }

  async view(): Promise<ModuleView> {
    const found = (await this.snapshot()).modules.find((view) => view.id === this.module);
    if (found === undefined) throw new Error(`no module ${this.module}`);
    return found;
  }

  async report(node: NodeName): Promise<ModuleReport | null> {
    const view = await this.view();
    const entry = view.nodes.find((one) => one.nodeId === node);
    return entry === undefined || entry.silent ? null : entry.report;
  }

  /** Asks, and waits until the operation has ended; an error if it failed. */
  async command(request: Parameters<PeopleClient["command"]>[1]): Promise<string> {
    const asked = await this.people.command(this.module, request);
    if (!asked.ok) throw new Error(`${request.kind}: ${asked.status} ${asked.text}`);
    const ended = await waitFor(
      `${request.kind} to end`,
      async () => {
        const operation = await this.people.operation(asked.value.id);
        return operation.ok && operation.value.state !== "running" ? operation.value : null;
      },
      120_000,
    );
    if (ended.state !== "done") {
      const steps = ended.steps.map((step) => `${step.nodeId}: ${step.text}`).join("; ");
      throw new Error(`${request.kind} ${ended.state}: ${ended.text} (${steps})`);
    }
    return ended.text;
  }

  /** Waits until each node shows its state; Ready too, where the state is one that serves data. */
  async waitForStates(wanted: Partial<Record<NodeName, string>>, limitMs: number): Promise<void> {
    let seen = "";
    try {
      await waitFor(
        JSON.stringify(wanted),
        async () => {
          const reports = await Promise.all(
            Object.entries(wanted).map(async ([node, state]) => {
              const report = NODES.includes(node as NodeName)
                ? await this.report(node as NodeName)
                : null;
              return { node, state, report };
            }),
          );
          seen = reports
            .map(({ node, report }) =>
              report === null
                ? `${node} silent`
                : `${node} ${report.state} ${report.readiness}: ${report.why}`,
            )
            .join("; ");
          return reports.every(({ state, report }) => isIn(report, state)) ? true : null;
        },
        limitMs,
        100,
      );
    } catch (error) {
      throw new Error(`${String(error)}; last seen: ${seen}`);
    }
  }

  /** The last lines that each program said: for the message of a test that failed. */
  logs(): string {
    const tail = (name: string, log: string) =>
      `--- ${name}\n${this.#lab.machine(name).log(log).split("\n").slice(-60).join("\n")}`;
    return [tail("control", "control-plane"), ...NODES.map((name) => tail(name, "agent"))].join(
      "\n",
    );
  }

  get vip(): string {
    return LAB_VIP;
  }

  async close(): Promise<void> {
    await this.#fetch.close();
  }
}

function isIn(report: ModuleReport | null, state: string): boolean {
  if (report === null || report.state !== state) return false;
  const mustBeReady = state === "PRIM" || state === "ALONE" || state === "SECOND";
  return !mustBeReady || report.readiness === "Ready";
}
