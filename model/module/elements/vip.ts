import {
  ADDRESS,
  duration,
  INTERFACE_NAME,
  integer,
  MAC,
  NAME,
  NETMASK,
  ON_OFF,
  oneOf,
  PORT,
  wildcard,
} from "../value-type.ts";
import { any, atLeastOne, atMostOne, defaulted, element, optional, required } from "./element.ts";

/** The attributes are the same under a real and a virtual interface; the elements are two rows. */
const virtualAddress = () =>
  element("virtual_addr", "A virtual address: it follows the primary, or is on every farm node.", {
    addr: required(ADDRESS, "IPv4 address, IPv6 address or name."),
    where: required(
      oneOf("one_side_alias", "one_side", "alias"),
      "Mirror: one_side_alias = a second address, one_side = the first one, so that outgoing connections use it; farm: alias.",
    ),
    check: defaulted(
      ON_OFF,
      "on",
      "Watch that the address is on the interface; missing leads to stopstart.",
    ),
    connections: defaulted(ON_OFF, "off", "Count the connections to the address.").understood(),
    netmask: optional(NETMASK, "IPv4; by default that of the interface."),
  });

export const REAL_ADDRESS = virtualAddress();
export const FARM_ADDRESS = virtualAddress();

export const REAL_INTERFACE = element(
  "real_interface",
  "The addresses use the interface's own MAC address.",
  {},
  [atLeastOne(REAL_ADDRESS)],
);

export const VIRTUAL_INTERFACE = element(
  "virtual_interface",
  "Farm: the addresses are shared by all nodes.",
  {
    type: required(
      oneOf("vmac_directed", "vmac_invisible"),
      "vmac_directed: a node's real MAC address answers; vmac_invisible: one that no switch learns.",
    ),
    addr: optional(MAC, "Virtual MAC address of vmac_invisible; by default 5A:FE and the address."),
  },
  [atLeastOne(FARM_ADDRESS)],
  { support: "understood" },
);

export const INTERFACE = element(
  "interface",
  "A network interface and its virtual addresses.",
  {
    check: defaulted(
      ON_OFF,
      "on",
      "Watch the interface's link; a lost one leads to wait. Not for bonding.",
    ),
    arpreroute: defaulted(ON_OFF, "off", "Repeat the gratuitous ARP for a time, IPv4."),
    arpinterval: defaulted(duration("s"), "60s", "Time between two of them."),
    arpelapse: defaulted(duration("s"), "1200s", "Total time of repeating."),
    name: optional(INTERFACE_NAME, "The interface; by default the one with the address's subnet."),
  },
  [atMostOne(REAL_INTERFACE), atMostOne(VIRTUAL_INTERFACE)],
);

export const INTERFACE_LIST = element("interface_list", "The interfaces.", {}, [
  atLeastOne(INTERFACE),
]);

export const HOST = element("host", "A node's weight in a group.", {
  name: required(NAME, "The node."),
  power: defaulted(
    integer(0, 2 ** 40),
    "1",
    "Its share against the others'; 0: none; steps of 64 make a strict priority.",
  ),
});

export const LOAD_CLUSTER = element("cluster", "Weights; without it all nodes share equally.", {}, [
  atLeastOne(HOST),
]);

export const RULE = element("rule", "Traffic that a group shares; what no rule names is denied.", {
  virtual_addr: defaulted(wildcard(ADDRESS), "*", "Only to this address; * is any."),
  port: defaulted(wildcard(PORT), "*", "Only to this port; * is any."),
  proto: required(oneOf("udp", "tcp", "arp"), "Protocol; arp only with vmac_directed and on_addr."),
  filter: required(
    oneOf("on_addr", "on_port", "on_ipid"),
    "What decides the node: client address, client port, or the packet's IP id (udp, IPv4).",
  ),
});

export const GROUP = element(
  "group",
  "One set of shares; resource <group>_0 shows this node's.",
  { name: required(NAME, "The group.") },
  [atMostOne(LOAD_CLUSTER), any(RULE)],
);

export const LOADBALANCING_LIST = element(
  "loadbalancing_list",
  "Farm: how traffic is shared.",
  {},
  [atLeastOne(GROUP)],
  { support: "understood" },
);

export const VIP = element(
  "vip",
  "Virtual addresses, inside one subnet. In a cloud network leave it out.",
  {
    tcpreset: defaulted(
      ON_OFF,
      "on",
      "Reset connections from the address before it leaves the interface.",
    ),
    scriptcontrol: defaulted(
      ON_OFF,
      "off",
      "Farm: the scripts open and close the traffic.",
    ).understood(),
  },
  [atMostOne(INTERFACE_LIST), atMostOne(LOADBALANCING_LIST)],
);
