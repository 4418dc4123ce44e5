import { assert } from "../shared/assert.ts";
import type { InterfaceConfig, LoadBalancingGroup, VipConfig, VirtualAddress } from "./config.ts";
import {
  FARM_ADDRESS,
  GROUP,
  HOST,
  INTERFACE,
  INTERFACE_LIST,
  LOAD_CLUSTER,
  LOADBALANCING_LIST,
  REAL_ADDRESS,
  REAL_INTERFACE,
  RULE,
  VIP,
  VIRTUAL_INTERFACE,
} from "./elements/vip.ts";
import type { TypedElement } from "./typed-element.ts";

/** `<vip>`, or null. */
export function buildVip(service: TypedElement): VipConfig | null {
  const vip = service.child(VIP);
  if (vip === null) return null;
  return {
    tcpReset: vip.read(VIP.attributes.tcpreset),
    scriptControl: vip.read(VIP.attributes.scriptcontrol),
    interfaces: (vip.child(INTERFACE_LIST)?.childrenOf(INTERFACE) ?? []).map(buildInterface),
    groups: (vip.child(LOADBALANCING_LIST)?.childrenOf(GROUP) ?? []).map(buildGroup),
  };
}

function buildInterface(face: TypedElement): InterfaceConfig {
  const row = INTERFACE.attributes;
  const common = {
    check: face.read(row.check),
    arpReroute: face.read(row.arpreroute),
    arpIntervalMs: face.read(row.arpinterval),
    arpElapseMs: face.read(row.arpelapse),
    name: face.read(row.name),
  };
  const real = face.child(REAL_INTERFACE);
  if (real !== null) {
    const addresses = real.childrenOf(REAL_ADDRESS);
    return { ...common, link: { kind: "real" }, addresses: addresses.map(buildRealAddress) };
  }
  const virtual = face.child(VIRTUAL_INTERFACE);
  assert(virtual !== null, "an interface of neither kind was refused");
  const { type, addr } = VIRTUAL_INTERFACE.attributes;
  return {
    ...common,
    link: { kind: "virtual", type: virtual.read(type), mac: virtual.read(addr) },
    addresses: virtual.childrenOf(FARM_ADDRESS).map(buildFarmAddress),
  };
}

const buildRealAddress = (typed: TypedElement) => buildAddress(typed, REAL_ADDRESS);
const buildFarmAddress = (typed: TypedElement) => buildAddress(typed, FARM_ADDRESS);
const buildAddress = (
  typed: TypedElement,
  { attributes: row }: typeof REAL_ADDRESS,
): VirtualAddress => ({
  addr: typed.read(row.addr),
  where: typed.read(row.where),
  check: typed.read(row.check),
  connections: typed.read(row.connections),
  netmask: typed.read(row.netmask),
});

function buildGroup(group: TypedElement): LoadBalancingGroup {
  const hosts = group.child(LOAD_CLUSTER)?.childrenOf(HOST) ?? [];
  return {
    name: group.read(GROUP.attributes.name),
    hosts: hosts.map((host) => ({
      name: host.read(HOST.attributes.name),
      power: host.read(HOST.attributes.power),
    })),
    rules: group.childrenOf(RULE).map((rule) => ({
      virtualAddr: rule.read(RULE.attributes.virtual_addr),
      port: rule.read(RULE.attributes.port),
      proto: rule.read(RULE.attributes.proto),
      filter: rule.read(RULE.attributes.filter),
    })),
  };
}
