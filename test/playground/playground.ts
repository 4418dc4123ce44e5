/**
 * The playground: a whole cluster on this machine. Two agents on loopback addresses of their own, a
 * control plane, a proxy that is the service's one address, and customers. The supervisor owns what
 * must outlive the faults: the wire between the nodes, the proxy, the customers, the buttons.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchTransport, PeopleClient } from "../setup/people-client.ts";
import { AnswerWatch } from "./answer-watch.ts";
import type { PlaygroundModule } from "./applications.ts";
import { takenPorts, type WantedPort } from "./free-ports.ts";
import { LoadGenerator } from "./load-generator.ts";
import { killAll, ManagedProcess, type StartOptions } from "./processes.ts";
import { Relay, type RelayEnd } from "./relay.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = process.execPath;
const CLUSTER = "playground";
const PORTS = { link: 7401, heartbeat: 7402, replication: 7410, probe: 9010 } as const;
const REPLICATION_PORTS = [0, 1, 2, 3].map((n) => PORTS.replication + n);

const JOIN_MS_MAX = 30_000;

export type PlaygroundNode = RelayEnd & {
  readonly folder: string;
  /** Below it are the replicated directories. */
  readonly data: string;
  /** What its application writes that is not replicated: logs, sockets. */
  readonly run: string;
  /** Where it says whether it serves. */
  readonly probeUrl: string;
};

export type PlaygroundOptions = {
  readonly folder: string;
  readonly module: PlaygroundModule;
  readonly customers: number;
  /** N: the nodes are 127.0.N.11 and 127.0.N.12, and the wire between them is of 127.0.N+1. */
  readonly network: number;
  /** Ports of the service's address and of the control plane; 0 = any free one. */
  readonly servicePort: number;
  readonly controlPort: number;
  say(text: string): void;
};

export class Playground {
  readonly nodes: readonly PlaygroundNode[];
  readonly #options: PlaygroundOptions;
  readonly #guards = new Map<string, ManagedProcess>();
  #control: ManagedProcess | null = null;
  #proxy: ManagedProcess | null = null;
  #relay: Relay | null = null;
  #load: LoadGenerator | null = null;
  #answers: AnswerWatch | null = null;
  /** In the environment of all processes, to find them by; its end is the kernel's own. */
  readonly #mark: string;
  #starting: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isStopping = false;
  #people: PeopleClient | null = null;
  #consoleUrl: string | null = null;
  #proxyAdmin = "";
  #controlPlace = { people: "127.0.0.1:0", agents: "127.0.0.1:0" };
  /** `HOST:PORT` of the service's one address. */
  servicePlace = "";

  constructor(options: PlaygroundOptions) {
    this.#options = options;
    this.#mark = `PLAYGROUND=${options.folder}\0`;
    // Fixed places: open pages and nodes of an earlier playground find it again.
    const { controlPort, folder, network } = options;
    this.#controlPlace = {
      people: `127.0.0.1:${controlPort}`,
      agents: `127.0.0.1:${controlPort === 0 ? 0 : controlPort + 1}`,
    };
    this.nodes = ["node1", "node2"].map((name, index) => ({
      name,
      address: `127.0.${network}.${11 + index}`,
      relayAddress: `127.0.${network + 1}.${11 + index}`,
      folder: join(folder, name),
      // Not in the agent's folder, where an application of another user may not look.
      data: join(folder, `data-of-${name}`),
      run: join(folder, `run-of-${name}`),
      probeUrl: `http://127.0.${network}.${11 + index}:${PORTS.probe}`,
    }));
  }

  get people(): PeopleClient | null {
    return this.#people;
  }
  get consoleUrl(): string | null {
    return this.#control?.isRunning === true ? this.#consoleUrl : null;
  }
  get load(): LoadGenerator | null {
    return this.#load;
  }
  /** Instead of customers, where nobody knows how to be one. */
  get answers(): AnswerWatch | null {
    return this.#answers;
  }
  get isStarted(): boolean {
    return this.#isStarted;
  }
  get isCut(): boolean {
    return this.#relay?.isCut ?? false;
  }
  get isControlRunning(): boolean {
    return this.#control?.isRunning ?? false;
  }
  isNodeRunning(name: string): boolean {
    return this.#guards.get(name)?.isRunning ?? false;
  }

  /** When that node's processes were last started, in Unix milliseconds. */
  startedAtMs(name: string): number {
    return this.#guards.get(name)?.startedAtMs ?? 0;
  }

  /** Starts everything; throws with a sentence for people when it cannot, or was told to stop. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    await this.#starting;
    this.#isStarted = true;
  }

  async #start(): Promise<void> {
    await this.#cleanUp();
    const taken = await takenPorts(this.#wantedPorts());
    if (taken.length > 0) throw new Error(taken.join("\n"));
    for (const { data, run } of this.nodes) {
      mkdirSync(data, { recursive: true });
      mkdirSync(run, { recursive: true });
    }
    const [first, second] = this.nodes;
    if (first === undefined || second === undefined) throw new Error("two nodes are needed");
    this.#relay = await Relay.open([first, second], {
      tcp: [PORTS.link, ...REPLICATION_PORTS],
      udp: [PORTS.heartbeat],
    });
    this.#step("starting the address (a local proxy)");
    await this.#startProxy();
    this.#step("starting the control plane");
    await this.startControl();
    for (const node of this.nodes) {
      this.#step(`starting ${node.name}`);
      await this.#join(node);
      this.#step();
      this.startNode(node.name);
    }
    this.#step(`installing ${this.#options.module.name}`);
    await this.#install();
    this.#step();
    const application = this.#options.module.customers(this.servicePlace);
    const { customers } = this.#options;
    if (application !== null) this.#load = new LoadGenerator(application, customers);
    else this.#answers = new AnswerWatch(this.servicePlace);
  }

  /** Between two parts of the start: whoever pressed Ctrl-C meanwhile wants no more of it. */
  #step(text?: string): void {
    if (this.#isStopping) throw new Error("ended before everything had started");
    if (text !== undefined) this.#options.say(text);
  }

  #wantedPorts(): readonly WantedPort[] {
    const { servicePort, controlPort, module, network } = this.#options;
    const here = { kind: "tcp", address: "127.0.0.1" } as const;
    const remedy = `another playground? Then choose other addresses with --network ${network + 2}`;
    const inner = [PORTS.link, ...REPLICATION_PORTS];
    return [
      { ...here, port: servicePort, remedy: "choose another with --service-port" },
      { ...here, port: controlPort, remedy: "choose another with --control-port" },
      {
        ...here,
        port: controlPort === 0 ? 0 : controlPort + 1,
        remedy: "it follows --control-port: choose another one",
      },
      ...this.nodes.flatMap(({ address, relayAddress }): WantedPort[] => [
        ...[...inner, PORTS.probe, module.port].map(
          (port) => ({ kind: "tcp", address, port, remedy }) as const,
        ),
        ...inner.map((port) => ({ kind: "tcp", address: relayAddress, port, remedy }) as const),
        ...[address, relayAddress].map(
          (one) => ({ kind: "udp", address: one, port: PORTS.heartbeat, remedy }) as const,
        ),
      ]),
    ];
  }

  async startControl(): Promise<void> {
    const { folder } = this.#options;
    const state = join(folder, "control");
    const nodes = this.nodes.map(({ name, relayAddress }) => `${name}=${relayAddress}`).join(",");
    this.#control = this.#spawn({
      args: [
        ...[NODE, join(ROOT, "functions", "local.ts"), "--state", state, "--json"],
        ...["--listen", this.#controlPlace.people, "--agent-listen", this.#controlPlace.agents],
        ...["--cluster", CLUSTER, "--nodes", nodes, "--allow-loopback"],
        ...["--address-driver", "local-proxy", "--proxy-admin", this.#proxyAdmin],
        ...["--proxy-secret-file", join(folder, "proxy", "secret")],
      ],
      logFile: join(folder, "control.log"),
      wantsFirstLine: true,
    });
    const told: Told = JSON.parse(await this.#control.firstLine);
    // The same places after a restart: agents and open pages find it again.
    this.#controlPlace = { people: placeOf(told.apiUrl), agents: placeOf(told.agentUrl) };
    this.#consoleUrl = told.url;
    const secret = readFileSync(told.secretFile, "utf8").trim();
    this.#people = new PeopleClient(fetchTransport(told.apiUrl, 5_000), secret, CLUSTER);
  }

  async stopControl(): Promise<void> {
    await this.#control?.stop(3_000);
  }

  startNode(name: string): void {
    const node = this.#node(name);
    this.#guards.set(
      name,
      this.#spawn({
        args: [
          ...[NODE, join(ROOT, "node-agent", "guard", "guard-main.ts"), "--"],
          ...[NODE, join(ROOT, "node-agent", "main.ts"), "--state", node.folder],
          ...["--bind", `default=${node.address}`, "--probe", `${node.address}:${PORTS.probe}`],
          ...["--link-port", String(PORTS.link), "--heartbeat-port", String(PORTS.heartbeat)],
          ...["--replication-port", String(PORTS.replication)],
        ],
        logFile: join(this.#options.folder, `${name}.log`),
        environment: {
          // By this the node's processes are found again when its machine dies.
          MIRRORFARM_STATE: node.folder,
          SHOP_NODE: NODE,
          SHOP_DATA: node.data,
          SHOP_ADDRESS: node.address,
          SHOP_PORT: String(this.#options.module.port),
          // For the macros of any other module.
          FARM_DATA: node.data,
          FARM_RUN: node.run,
          FARM_ADDRESS: node.address,
        },
      }),
    );
  }

  /** The machine of that node dies: its processes at once, its mounts with them. */
  async killNode(name: string): Promise<void> {
    const node = this.#node(name);
    await killAll(`MIRRORFARM_STATE=${node.folder}`);
    detachMounts(node.data);
  }

  cut(): void {
    this.#relay?.cut();
  }

  heal(): void {
    this.#relay?.heal();
  }

  /** Ends everything in order, and leaves only the folder. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // A part that is being started is waited for (each has its bound), so that it can be stopped.
    await this.#starting.catch(() => undefined);
    this.#answers?.close();
    await this.#load?.stop();
    this.#relay?.heal();
    await Promise.all([...this.#guards.values()].map((guard) => guard.stop(20_000)));
    await this.#control?.stop(3_000);
    await this.#proxy?.stop(3_000);
    this.#relay?.close();
    await this.#cleanUp();
  }

  /** What an earlier playground may have left when it was killed itself. */
  async #cleanUp(): Promise<void> {
    for (const node of this.nodes) await this.killNode(node.name);
    await killAll(this.#mark);
  }

  #spawn(options: StartOptions): ManagedProcess {
    const environment = { ...options.environment, PLAYGROUND: this.#options.folder };
    return new ManagedProcess({ ...options, environment });
  }

  #node(name: string): PlaygroundNode {
    const node = this.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node;
  }

  async #startProxy(): Promise<void> {
    const folder = join(this.#options.folder, "proxy");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const secretFile = join(folder, "secret");
    writeFileSync(secretFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
    const { module, servicePort } = this.#options;
    this.#proxy = this.#spawn({
      args: [
        ...[NODE, join(ROOT, "functions", "clouds", "local-proxy", "proxy-main.ts")],
        ...["--secret-file", secretFile, "--state", join(folder, "targets.json")],
        ...["--listen", `${module.name}=127.0.0.1:${servicePort}/${module.port}`],
        // The nodes' addresses are those of the wire between them; the service is beside it.
        ...this.nodes.flatMap(({ name, address }) => ["--node", `${name}=${address}`]),
      ],
      logFile: join(this.#options.folder, "proxy.log"),
      wantsFirstLine: true,
    });
    const told: { admin: string; ports: { listen: string }[] } = JSON.parse(
      await this.#proxy.firstLine,
    );
    this.#proxyAdmin = told.admin;
    this.servicePlace = told.ports[0]?.listen ?? "";
  }

  async #join(node: PlaygroundNode): Promise<void> {
    // The folder of an earlier playground (--keep): the node is in the cluster already.
    if (existsSync(join(node.folder, "node.json"))) return;
    const token = await this.#people?.token(node.name, { default: node.relayAddress });
    if (token?.ok !== true) throw new Error(`no token for ${node.name}: ${token?.text}`);
    const joined = this.#spawn({
      args: [
        ...[NODE, join(ROOT, "node-agent", "cli", "cli-main.ts"), "join", "--state", node.folder],
        ...["--node", node.name],
        ...["--token", String(token.value.token), "--url", token.value.agentUrl],
      ],
      logFile: join(this.#options.folder, `${node.name}.log`),
    });
    const code = await joined.result(JOIN_MS_MAX);
    if (code !== 0) throw new Error(`${node.name} cannot join; see ${node.folder}.log`);
  }

  async #install(): Promise<void> {
    const { module, folder } = this.#options;
    const uploaded = await this.#people?.upload(module.name, await module.pack(folder));
    if (uploaded?.ok !== true) throw new Error(`the module was refused: ${uploaded?.text}`);
    const started = await this.#people?.command(module.name, { kind: "start" });
    if (started?.ok !== true) throw new Error(`not started: ${started?.text}`);
  }
}

type Told = {
  readonly url: string;
  readonly apiUrl: string;
  readonly agentUrl: string;
  readonly secretFile: string;
};

const placeOf = (url: string): string => new URL(url).host;

/** A dead machine has no mounts; on this one they would stay, and answer nothing. */
function detachMounts(folder: string): void {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    // The fifth field is the place, with blanks as \\040 (proc(5)).
    .map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "))
    .filter((place) => place === folder || place.startsWith(`${folder}/`));
  const isRoot = process.getuid?.() === 0;
  for (const place of mounts.reverse()) {
    if (isRoot) spawnSync("umount", ["-l", place]);
    else spawnSync("fusermount3", ["-u", "-z", place]);
  }
}
