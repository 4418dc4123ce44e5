import { parseAddress, whyNotVirtual } from "../address.ts";
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
import { quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";
import { judgeUnique } from "./unique.ts";

/** Addresses that may be virtual, once each, in the way of their mode; shares that can be. */
export function judgeVip(service: TypedElement, judging: Judging): void {
  const vip = service.child(VIP);
  if (vip === null) return;
  const { problems, mode } = judging;
  if (mode === "light") problems.error(vip.offset, "<vip> has no meaning in a light module");
  const seen = new Set<string>();
  for (const face of vip.child(INTERFACE_LIST)?.childrenOf(INTERFACE) ?? []) {
    const [real, virtual] = [face.child(REAL_INTERFACE), face.child(VIRTUAL_INTERFACE)];
    if ((real === null) === (virtual === null)) {
      const message = "<interface> needs one <real_interface> or one <virtual_interface>";
      problems.error(face.offset, message);
    }
    if (virtual !== null && mode !== "farm") {
      problems.error(virtual.offset, "<virtual_interface> belongs in a farm module");
    }
    for (const address of real?.childrenOf(REAL_ADDRESS) ?? []) {
      judgeAddress(address, REAL_ADDRESS, seen, judging);
    }
    for (const address of virtual?.childrenOf(FARM_ADDRESS) ?? []) {
      judgeAddress(address, FARM_ADDRESS, seen, judging);
    }
  }
  const list = vip.child(LOADBALANCING_LIST);
  if (list !== null) judgeLoadBalancing(list, seen, judging);
}

function judgeAddress(
  address: TypedElement,
  { attributes: row }: typeof REAL_ADDRESS,
  seen: Set<string>,
  { problems, mode, allowLoopback }: Judging,
): void {
  if (address.isSound(row.where) && mode !== "light") {
    const isOfMirror = address.read(row.where) !== "alias";
    if (isOfMirror !== (mode === "mirror")) {
      const legal = mode === "mirror" ? '"one_side_alias" or "one_side"' : '"alias"';
      problems.error(address.offsetOf(row.where), `in a ${mode} module where has to be ${legal}`);
    }
  }
  if (address.read(row.where) === "one_side") {
    const message = 'where "one_side" is understood but not acted on yet: the address is added';
    problems.warn(address.offsetOf(row.where), message);
  }
  if (!address.isSound(row.addr)) return;
  const text = address.read(row.addr);
  const parsed = parseAddress(text);
  if (!parsed.ok) return;
  const offset = address.offsetOf(row.addr);
  const reason = whyNotVirtual(parsed.value, { allowLoopback });
  if (reason !== null) problems.error(offset, `virtual address ${quote(text)} ${reason}`);
  if (seen.has(text)) problems.error(offset, `virtual address ${quote(text)} is there twice`);
  seen.add(text);
  if (parsed.value.kind === "ipv6" && address.has(row.netmask)) {
    problems.error(address.offsetOf(row.netmask), "a netmask belongs to an IPv4 address");
  }
}

function judgeLoadBalancing(
  list: TypedElement,
  addresses: ReadonlySet<string>,
  { problems, mode }: Judging,
): void {
  if (mode !== "farm") {
    problems.error(list.offset, "<loadbalancing_list> belongs in a farm module");
  }
  const groups = list.childrenOf(GROUP);
  judgeUnique(groups, GROUP.attributes.name, problems);
  for (const group of groups) {
    const hosts = group.child(LOAD_CLUSTER)?.childrenOf(HOST) ?? [];
    judgeUnique(hosts, HOST.attributes.name, problems);
    for (const rule of group.childrenOf(RULE)) judgeRule(rule, addresses);
  }

  function judgeRule(rule: TypedElement, known: ReadonlySet<string>): void {
    const { virtual_addr: address, proto, filter } = RULE.attributes;
    const wanted = rule.read(address);
    if (rule.isSound(address) && wanted !== null && !known.has(wanted)) {
      problems.error(rule.offsetOf(address), `no <virtual_addr> is ${quote(wanted)}`);
    }
    if (!rule.isSound(proto) || !rule.isSound(filter)) return;
    const [protocol, criterion] = [rule.read(proto), rule.read(filter)];
    if (protocol === "arp" && criterion !== "on_addr") {
      problems.error(rule.offsetOf(filter), 'proto "arp" goes with filter "on_addr" only');
    }
    if (criterion === "on_ipid" && protocol !== "udp") {
      problems.error(rule.offsetOf(filter), 'filter "on_ipid" goes with proto "udp" only');
    }
  }
}
