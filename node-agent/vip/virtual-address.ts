/**
 * The virtual address of a module: on the interface of the node that serves, and nowhere else. It
 * is put there when the node takes over and announced to the neighbours; it leaves when the node
 * stops serving or is fenced. Everything here is idempotent and quick, and `observe` looks at the
 * interface itself, so that a restarted agent needs no memory of what it did.
 */
import { execFile } from "node:child_process";
import { networkInterfaces } from "node:os";
import type { ModuleConfig } from "#model/module/config.ts";
import { virtualAddressesOf } from "#model/module/vips.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { errnoName } from "../adapters/linux/errno.ts";
import { announce } from "./gratuitous-arp.ts";
import { addressBytes, hardwareAddress, interfaceOfSubnet, prefixLength } from "./interfaces.ts";
import { addAddress, interfaceIndex, removeAddress } from "./netlink.ts";

/** One address as the module's file wants it. */
export type VirtualAddressPlan = {
  readonly address: string;
  readonly prefixLength: number;
  /** null: the interface of the address's subnet. */
  readonly interfaceName: string | null;
  /** Reset the connections of the address before it leaves. */
  readonly tcpReset: boolean;
  /** `arpreroute`: announce again every `intervalMs` for `elapseMs`; null: only at first. */
  readonly reroute: { readonly intervalMs: number; readonly elapseMs: number } | null;
};

/** Where it stands; what the guard must take off when this agent no longer can. */
export type HeldAddress = {
  readonly address: string;
  readonly prefixLength: number;
  readonly interfaceName: string;
};

/** The virtual addresses of a module. A name instead of a number cannot be put on an interface. */
export function virtualAddressPlans(config: ModuleConfig): readonly VirtualAddressPlan[] {
  return virtualAddressesOf(config).map((vip) => ({
    address: vip.addr,
    // A host route is enough, as the interface has the subnet's own; and it can never be the
    // subnet's first address, which would take all others with it when it is removed.
    prefixLength: (vip.netmask === null ? null : prefixLength(vip.netmask)) ?? hostLength(vip.addr),
    interfaceName: vip.interface.name,
    tcpReset: vip.tcpReset,
    reroute: vip.interface.arpReroute
      ? { intervalMs: vip.interface.arpIntervalMs, elapseMs: vip.interface.arpElapseMs }
      : null,
  }));
}

const hostLength = (address: string): number => (address.includes(":") ? 128 : 32);

/** A burst at first, as any single frame may be lost: RFC 5227 sends two, switches drop some. */
const BURST_MS = [100, 500, 1_000, 2_000, 4_000];
const RESET_MS_MAX = 500;

/** Holds one virtual address on this node. */
export class VirtualAddress {
  readonly plan: VirtualAddressPlan;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(plan: VirtualAddressPlan) {
    this.plan = plan;
  }

  /** Puts the address on the interface, if it is not there, and announces it. */
  hold(): Result<HeldAddress, string> {
    const { address, prefixLength: length } = this.plan;
    const bytes = addressBytes(address);
    if (bytes === null) return err(`${address} is not a numeric address`);
    const interfaceName = this.#interfaceName();
    if (interfaceName === null) return err(`no interface is in the subnet of ${address}`);
    const index = interfaceIndex(interfaceName);
    if (index === 0) return err(`there is no interface ${interfaceName}`);
    const added = addAddress(index, bytes, length);
    if (added < 0) return err(`${address} on ${interfaceName}: ${errnoName(added)}`);
    this.#announceRepeatedly(index, interfaceName, bytes);
    return ok({ address, prefixLength: length, interfaceName });
  }

  /**
   * Takes the address off, wherever it is. `isUrgent`: a fence, which resets no connections, as the
   * address must be gone before anything that takes time.
   */
  async release(isUrgent = false): Promise<Result<void, string>> {
    this.stopAnnouncing();
    const held = this.observe();
    if (held.length > 0 && this.plan.tcpReset && !isUrgent)
      await resetConnections(this.plan.address);
    return this.#remove(held);
  }

  /** The address stays where it is. */
  stopAnnouncing(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** The interfaces that have the address now. */
  observe(): readonly HeldAddress[] {
    const { address } = this.plan;
    return Object.entries(networkInterfaces()).flatMap(([interfaceName, entries]) =>
      (entries ?? [])
        .filter((entry) => entry.address === address)
        .map((entry) => ({
          address,
          prefixLength: prefixLength(entry.netmask) ?? this.plan.prefixLength,
          interfaceName,
        })),
    );
  }

  #remove(held: readonly HeldAddress[]): Result<void, string> {
    const bytes = addressBytes(this.plan.address);
    if (bytes === null) return ok(undefined);
    const problems = held.flatMap(({ interfaceName, prefixLength: length, address }) => {
      const removed = removeAddress(interfaceIndex(interfaceName), bytes, length);
      return removed < 0 ? [`${address} on ${interfaceName}: ${errnoName(removed)}`] : [];
    });
    return problems.length === 0 ? ok(undefined) : err(problems.join("; "));
  }

  #interfaceName(): string | null {
    const { interfaceName, address } = this.plan;
    return interfaceName ?? interfaceOfSubnet(address, networkInterfaces());
  }

  #announceRepeatedly(index: number, interfaceName: string, address: Uint8Array): void {
    const mac = hardwareAddress(interfaceName, networkInterfaces());
    // IPv6 neighbours are told by neighbour discovery, which this does not send yet.
    if (mac === null || address.length !== 4) return;
    this.stopAnnouncing();
    announce(index, mac, address);
    for (const delayMs of [...BURST_MS, ...rerouteDelays(this.plan.reroute)]) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        // Somebody else may have taken it off, as the guard does: then it is not ours to announce.
        if (this.observe().length > 0) announce(index, mac, address);
      }, delayMs);
      this.#timers.add(timer.unref());
    }
  }
}

const REROUTES_MAX = 1_000;

function rerouteDelays(reroute: VirtualAddressPlan["reroute"]): readonly number[] {
  if (reroute === null || reroute.intervalMs <= 0) return [];
  const count = Math.min(REROUTES_MAX, Math.floor(reroute.elapseMs / reroute.intervalMs));
  return Array.from({ length: count }, (_, index) => (index + 1) * reroute.intervalMs);
}

/**
 * Connections of the address are reset, so that clients reconnect at once instead of waiting for a
 * timeout. Best effort: `ss -K` needs CONFIG_INET_DIAG_DESTROY (ss(8)).
 */
async function resetConnections(address: string): Promise<void> {
  await new Promise<void>((resolve) => {
    execFile("ss", ["-K", "-H", "src", address], { timeout: RESET_MS_MAX }, () => resolve());
  });
}
