/**
 * The lab's network: one namespace with a bridge, and a veth pair from it into each host's own
 * namespace. Cuts are nftables rules on the bridge, so that no host notices anything but silence:
 * no link goes down, no connection is closed.
 */
import { must, run } from "./command.ts";

export type Host = { readonly name: string; readonly address: string };

const PREFIX_LENGTH = 24;

export class LabNetwork {
  readonly #id: string;
  readonly #hosts = new Map<string, Host>();

  private constructor(id: string) {
    this.#id = id;
  }

  /** `id` begins every namespace's name; at most 6 characters, as interface names are short. */
  static async create(id: string): Promise<LabNetwork> {
    const network = new LabNetwork(id);
    await must("ip", ["netns", "add", network.#switch]);
    await network.#inSwitch("ip link add br0 type bridge forward_delay 0 && ip link set br0 up");
    await network.#inSwitch(
      "nft 'add table bridge lab; add chain bridge lab forward { type filter hook forward priority 0; }'",
    );
    return network;
  }

  /** Takes up a network that an earlier process made, with the hosts it had. */
  static adopt(id: string, hosts: readonly Host[]): LabNetwork {
    const network = new LabNetwork(id);
    for (const host of hosts) network.#hosts.set(host.name, host);
    return network;
  }

  get #switch(): string {
    return `${this.#id}-switch`;
  }

  namespace(host: string): string {
    return `${this.#id}-${host}`;
  }

  /** The file by which nsenter(1) enters the host's network; mounts stay those of the caller. */
  namespacePath(host: string): string {
    return `/run/netns/${this.namespace(host)}`;
  }

  address(host: string): string {
    const found = this.#hosts.get(host);
    if (found === undefined) throw new Error(`no host ${host} in the lab`);
    return found.address;
  }

  async addHost(host: Host): Promise<void> {
    const namespace = this.namespace(host.name);
    this.#hosts.set(host.name, host);
    await must("ip", ["netns", "add", namespace]);
    await this.#inSwitch(
      `ip link add ${this.#port(host.name)} type veth peer name eth0 netns ${namespace} && ` +
        `ip link set ${this.#port(host.name)} master br0 up`,
    );
    await this.resetHost(host.name);
  }

  /** What a machine that starts has: its own address and nothing else. */
  async resetHost(name: string): Promise<void> {
    const own = `${this.address(name)}/${PREFIX_LENGTH}`;
    await this.inHost(
      name,
      `ip addr flush dev eth0 && ip neigh flush all && ip link set lo up &&
       ip addr add ${own} dev eth0 && ip link set eth0 up`,
    );
  }

  /** The plug of a host: out = a machine that lost its power, as seen from the others. */
  async plug(host: string, isIn: boolean): Promise<void> {
    await this.#inSwitch(`ip link set ${this.#port(host)} ${isIn ? "up" : "down"}`);
  }

  /** Drops every packet from one host to another, and back unless `oneWay`. */
  async cut(from: string, to: string, options: { oneWay?: boolean } = {}): Promise<void> {
    await this.#drop(from, to, "");
    if (options.oneWay !== true) await this.#drop(to, from, "");
  }

  /** Drops that share of packets both ways. */
  async lose(from: string, to: string, percent: number): Promise<void> {
    await this.#drop(from, to, `numgen random mod 100 < ${Math.round(percent)}`);
    await this.#drop(to, from, `numgen random mod 100 < ${Math.round(percent)}`);
  }

  async heal(): Promise<void> {
    await this.#inSwitch("nft flush chain bridge lab forward");
  }

  async inHost(host: string, script: string): Promise<string> {
    return await must("nsenter", [`--net=${this.namespacePath(host)}`, "sh", "-c", script]);
  }

  async destroy(): Promise<void> {
    for (const host of this.#hosts.keys()) {
      await run("ip", ["netns", "del", this.namespace(host)]);
    }
    await run("ip", ["netns", "del", this.#switch]);
  }

  #port(host: string): string {
    return `v-${host}`.slice(0, 15);
  }

  async #drop(from: string, to: string, condition: string): Promise<void> {
    const [input, output] = [this.#port(from), this.#port(to)];
    await this.#inSwitch(
      `nft 'add rule bridge lab forward iifname "${input}" oifname "${output}" ${condition} drop'`,
    );
  }

  async #inSwitch(script: string): Promise<string> {
    return await must("nsenter", [`--net=/run/netns/${this.#switch}`, "sh", "-c", script]);
  }
}
