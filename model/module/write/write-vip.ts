import type { InterfaceConfig, LoadBalancingGroup, VipConfig, VirtualAddress } from "../config.ts";
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
} from "../elements/vip.ts";
import { given, tag } from "./xml-writer.ts";

export function writeVip(vip: VipConfig | null): string | null {
  if (vip === null) return null;
  const attributes = [
    given(VIP.attributes.tcpreset, vip.tcpReset),
    given(VIP.attributes.scriptcontrol, vip.scriptControl),
  ];
  const interfaces = vip.interfaces.map(writeInterface);
  const groups = vip.groups.map(writeGroup);
  return tag(VIP, attributes, [
    ...(interfaces.length === 0 ? [] : [tag(INTERFACE_LIST, [], interfaces)]),
    ...(groups.length === 0 ? [] : [tag(LOADBALANCING_LIST, [], groups)]),
  ]);
}

function writeInterface(face: InterfaceConfig): string {
  const row = INTERFACE.attributes;
  const attributes = [
    given(row.check, face.check),
    given(row.arpreroute, face.arpReroute),
    given(row.arpinterval, face.arpIntervalMs),
    given(row.arpelapse, face.arpElapseMs),
    given(row.name, face.name),
  ];
  const { link } = face;
  if (link.kind === "real") {
    const addresses = face.addresses.map((address) => writeAddress(address, REAL_ADDRESS));
    return tag(INTERFACE, attributes, [tag(REAL_INTERFACE, [], addresses)]);
  }
  const { type, addr } = VIRTUAL_INTERFACE.attributes;
  const addresses = face.addresses.map((address) => writeAddress(address, FARM_ADDRESS));
  const inner = tag(VIRTUAL_INTERFACE, [given(type, link.type), given(addr, link.mac)], addresses);
  return tag(INTERFACE, attributes, [inner]);
}

function writeAddress(address: VirtualAddress, spec: typeof REAL_ADDRESS): string {
  const row = spec.attributes;
  return tag(spec, [
    given(row.addr, address.addr),
    given(row.where, address.where),
    given(row.check, address.check),
    given(row.connections, address.connections),
    given(row.netmask, address.netmask),
  ]);
}

function writeGroup(group: LoadBalancingGroup): string {
  const { attributes: host } = HOST;
  const { attributes: row } = RULE;
  const hosts = group.hosts.map(({ name, power }) =>
    tag(HOST, [given(host.name, name), given(host.power, power)]),
  );
  const rules = group.rules.map((rule) =>
    tag(RULE, [
      given(row.virtual_addr, rule.virtualAddr),
      given(row.port, rule.port),
      given(row.proto, rule.proto),
      given(row.filter, rule.filter),
    ]),
  );
  const cluster = hosts.length === 0 ? [] : [tag(LOAD_CLUSTER, [], hosts)];
  return tag(GROUP, [given(GROUP.attributes.name, group.name)], [...cluster, ...rules]);
}
