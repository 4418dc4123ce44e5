import { ADDRESS, duration, integer, NAME, ON_OFF, PORT } from "../value-type.ts";
import { any, atLeastOne, defaulted, element, optional, required } from "./element.ts";

const AGENT_PORT = "nodes talk on the port of the agent, one for all modules";

const ONE_PULSE = "all networks have that of <heart>";

export const HEARTBEAT_SERVER = element(
  "server",
  "A node's address, in the form used before networks had names; never together with name.",
  { addr: required(ADDRESS, "Address of one node.") },
  [],
  { support: "ignored", why: "give the heartbeat the name of a network of the cluster" },
);

export const HEARTBEAT = element(
  "heartbeat",
  "One network that the two nodes watch each other over.",
  {
    name: optional(NAME, "A network of the cluster."),
    ident: optional(
      NAME,
      "Resource is heartbeat.<ident>, by default the name; flow marks the network of replication.",
    ).understood("replication takes the first network of the cluster that works"),
    pulse: optional(duration("ms"), "As for heart, for this network.").understood(ONE_PULSE),
    timeout: optional(duration("ms"), "As for heart, for this network.").understood(ONE_PULSE),
  },
  [any(HEARTBEAT_SERVER)],
);

export const HEART = element(
  "heart",
  "Mirror: how the two nodes watch each other. Silence on all networks means a dead peer.",
  {
    port: optional(PORT, "UDP port of the heartbeats; SafeKit: 8888 + (id - 1).").understood(
      AGENT_PORT,
    ),
    pulse: optional(
      duration("ms"),
      "Time between heartbeats, which go at the pace of the timer profile or faster (SafeKit: 700ms).",
    ),
    timeout: optional(
      duration("ms"),
      "Silence after which the peer counts as lost. Not given: the timer profile (SafeKit: 30s).",
    ),
    permanent_arp: defaulted(ON_OFF, "on", "Keep static ARP entries for the peers.").understood(),
  },
  [atLeastOne(HEARTBEAT)],
);

export const FARM_NODE = element(
  "node",
  "A node's address, in the form used before networks had names.",
  { name: required(NAME, "The node."), addr: required(ADDRESS, "Its address.") },
  [],
  { support: "ignored", why: "the cluster's own configuration holds the addresses" },
);

export const FARM_LAN = element(
  "lan",
  "One network that the nodes of the farm watch each other over.",
  { name: required(NAME, "A network of the cluster.") },
  [any(FARM_NODE)],
);

export const FARM = element(
  "farm",
  "Farm: how the nodes watch each other.",
  {
    port: optional(PORT, "UDP port; SafeKit: 4803 + (id - 1) * 3."),
    pulse: defaulted(duration("ms"), "100ms", "Time between packets."),
    mlost_count: defaulted(integer(1, 100_000), "20", "Missed packets before a new leader."),
    slost_count: defaulted(integer(1, 100_000), "10", "Missed packets before a follower is lost."),
  },
  [atLeastOne(FARM_LAN)],
  { support: "understood" },
);
