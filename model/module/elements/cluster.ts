import { BRACKETED_ADDRESS, duration, integer, NAME, ON_OFF, PORT, TEXT } from "../value-type.ts";
import { atLeastOne, defaulted, element, exactlyOne, optional, required } from "./element.ts";

const OWN_TIMERS = "nodes watch each other per module, with the timer profile";

export const CLUSTER_NODE = element("node", "A machine's address on this network.", {
  name: required(NAME, "The node; the same name on every network."),
  addr: required(
    BRACKETED_ADDRESS,
    "Its address as the other nodes see it: IPv4, [IPv6] or a DNS name.",
  ),
  laddr: optional(BRACKETED_ADDRESS, "Its local address, only behind address translation."),
});

export const CLUSTER_LAN = element(
  "lan",
  "A network.",
  {
    name: required(NAME, "The name that heartbeats and farms use."),
    command: defaulted(
      ON_OFF,
      "off",
      "on: the network of distributed commands, with all nodes; at most one, by default the first.",
    ).understood("commands go through the control plane"),
    console: optional(TEXT, "Obsolete.").ignored("it is obsolete"),
    framework: optional(TEXT, "Obsolete.").ignored("it is obsolete"),
    connect: optional(TEXT, "Obsolete.").ignored("it is obsolete"),
  },
  [atLeastOne(CLUSTER_NODE)],
);

export const LANS = element(
  "lans",
  "The networks of the cluster; at least one has all nodes.",
  {
    port: defaulted(PORT, "4800", "UDP port of the membership protocol.").understood(OWN_TIMERS),
    pulse: defaulted(duration("ms"), "100", "Time between its packets.").understood(OWN_TIMERS),
    mlost_count: defaulted(
      integer(1, 100_000),
      "20",
      "Missed packets before a new leader.",
    ).understood(OWN_TIMERS),
    slost_count: defaulted(
      integer(1, 100_000),
      "10",
      "Missed packets before a follower is lost.",
    ).understood(OWN_TIMERS),
  },
  [atLeastOne(CLUSTER_LAN)],
);

/** The root of `cluster.xml`. */
export const CLUSTER = element("cluster", "The file.", {}, [exactlyOne(LANS)]);
