/**
 * The playground: a whole cluster on this machine. Two agents on loopback addresses of their own, a
 * control plane, a proxy that is the service's one address, and customers. The supervisor owns what
 * must outlive the faults: the wire between the nodes, the proxy, the customers, the buttons.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MODULES_FOLDER, packModule } from "../setup/module-archive.ts";
import { fetchTransport, PeopleClient } from "../setup/people-client.ts";
import { LoadGenerator } from "./load-generator.ts";
import { killAll, ManagedProcess } from "./processes.ts";
import { Relay, type RelayEnd } from "./relay.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = process.execPath;
const CLUSTER = "playground";
const PORTS = { link: 7401, heartbeat: 7402, replication: 7410, shop: 8080, probe: 9010 } as const;
const REPLICATION_PORTS = [0, 1, 2, 3].map((n) => PORTS.replication + n);

export type PlaygroundNode = RelayEnd & { readonly folder: string; readonly data: string };

export type PlaygroundOptions = {
  readonly folder: string;
  readonly module: string;
  /** Packed module file; null: a folder of the playground's own modules. */
  readonly moduleFile: string | null;
  readonly customers: number;
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
  #people: PeopleClient | null = null;
  #consoleUrl: string | null = null;
  #proxyAdmin = "";
  #controlPlace = { people: "127.0.0.1:0", agents: "127.0.0.1:0" };
  serviceUrl = "";

  constructor(options: PlaygroundOptions) {
    this.#options = options;
    // Fixed places: open pages and nodes of an earlier playground find it again.
    const { controlPort } = options;
    this.#controlPlace = {
      people: `127.0.0.1:${controlPort}`,
      agents: `127.0.0.1:${controlPort === 0 ? 0 : controlPort + 1}`,
    };
    this.nodes = ["node1", "node2"].map((name, index) => ({
      name,
      address: `127.0.0.${11 + index}`,
      relayAddress: `127.0.1.${11 + index}`,
      folder: join(options.folder, name),
      data: join(options.folder, name, "data"),
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
  get isCut(): boolean {
    return this.#relay?.isCut ?? false;
  }
  get isControlRunning(): boolean {
    return this.#control?.isRunning ?? false;
  }
  isNodeRunning(name: string): boolean {
    return this.#guards.get(name)?.isRunning ?? false;
  }

  async start(): Promise<void> {
    const { say, folder, module } = this.#options;
    await this.#cleanUp();
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const node of this.nodes) mkdirSync(node.data, { recursive: true });
    const [first, second] = this.nodes;
    if (first === undefined || second === undefined) throw new Error("two nodes are needed");
    this.#relay = await Relay.open([first, second], {
      tcp: [PORTS.link, ...REPLICATION_PORTS],
      udp: [PORTS.heartbeat],
    });
    say("starting the address (a local proxy)");
    await this.#startProxy();
    say("starting the control plane");
    await this.startControl();
    for (const node of this.nodes) {
      say(`starting ${node.name}`);
      await this.#join(node);
      this.startNode(node.name);
    }
    say(`installing ${module}`);
    await this.#install();
    this.#load = new LoadGenerator({
      url: this.serviceUrl,
      customers: this.#options.customers,
      timeoutMs: 2_000,
    });
  }

  async startControl(): Promise<void> {
    const { folder } = this.#options;
    const state = join(folder, "control");
    const nodes = this.nodes.map(({ name, relayAddress }) => `${name}=${relayAddress}`).join(",");
    this.#control = new ManagedProcess({
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
      new ManagedProcess({
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
          SHOP_PORT: String(PORTS.shop),
        },
      }),
    );
  }

  /** The machine of that node dies: its processes at once, its mounts with them. */
  async killNode(name: string): Promise<void> {
    const node = this.#node(name);
    await killAll(`MIRRORFARM_STATE=${node.folder}`);
    detachMount(node.data);
  }

  cut(): void {
    this.#relay?.cut();
  }

  heal(): void {
    this.#relay?.heal();
  }

  /** Ends everything in order, and leaves only the folder. */
  async stop(): Promise<void> {
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
    this.#proxy = new ManagedProcess({
      args: [
        ...[NODE, join(ROOT, "functions", "clouds", "local-proxy", "proxy-main.ts")],
        ...["--secret-file", secretFile, "--state", join(folder, "targets.json")],
        ...["--listen", `${module}=127.0.0.1:${servicePort}/${PORTS.shop}`],
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
    this.serviceUrl = `http://${told.ports[0]?.listen}`;
  }

  async #join(node: PlaygroundNode): Promise<void> {
    // The folder of an earlier playground (--keep): the node is in the cluster already.
    if (existsSync(join(node.folder, "node.json"))) return;
    const token = await this.#people?.token(node.name, { default: node.relayAddress });
    if (token?.ok !== true) throw new Error(`no token for ${node.name}: ${token?.text}`);
    const joined = spawnSync(
      NODE,
      [
        ...[join(ROOT, "node-agent", "cli", "cli-main.ts"), "join", "--state", node.folder],
        ...["--node", node.name],
        ...["--token", String(token.value.token), "--url", token.value.agentUrl],
      ],
      { encoding: "utf8", timeout: 30_000 },
    );
    if (joined.status !== 0) throw new Error(`${node.name} cannot join: ${joined.stderr}`);
  }

  async #install(): Promise<void> {
    const { module, moduleFile } = this.#options;
    const archive =
      moduleFile === null
        ? await packModule(join(MODULES_FOLDER, module))
        : readFileSync(moduleFile);
    const uploaded = await this.#people?.upload(module, archive);
    if (uploaded?.ok !== true) throw new Error(`the module was refused: ${uploaded?.text}`);
    const started = await this.#people?.command(module, { kind: "start" });
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
function detachMount(path: string): void {
  const isMounted = readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
  if (!isMounted) return;
  const isRoot = process.getuid?.() === 0;
  if (isRoot) spawnSync("umount", ["-l", path]);
  else spawnSync("fusermount3", ["-u", "-z", path]);
}

/** Removes the folder of a playground that has ended. */
export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });
