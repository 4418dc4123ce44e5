import type { ClusterConfig } from "../config.ts";
import { type ElementCase, may, must } from "./case.ts";

const NODES = '<node name="a" addr="192.0.2.1"/><node name="b" addr="192.0.2.2"/>';

/** One case for every row of `cluster.xml`. */
export const CLUSTER_CASES: Readonly<Record<string, ElementCase<ClusterConfig>>> = {
  cluster: {
    wrap: (attributes) =>
      `<cluster${attributes}><lans><lan name="l">${NODES}</lan></lans></cluster>`,
    base: {},
    pick: (config) => config,
    attributes: {},
  },
  "cluster/lans": {
    wrap: (attributes) =>
      `<cluster><lans${attributes}><lan name="l">${NODES}</lan></lans></cluster>`,
    base: {},
    pick: (config) => config,
    attributes: {
      port: may("port", "4900", 4900, 4800),
      pulse: may("pulseMs", "1s", 1000, 100),
      mlost_count: may("masterLostCount", "30", 30, 20),
      slost_count: may("slaveLostCount", "15", 15, 10),
    },
  },
  "cluster/lans/lan": {
    wrap: (attributes) =>
      `<cluster><lans><lan name="l">${NODES}</lan><lan${attributes}>${NODES}</lan></lans></cluster>`,
    base: { name: "m" },
    pick: ({ lans }) => lans[1],
    attributes: {
      name: must("name", "private", "private"),
      command: may("isCommand", "on", true, false),
      console: may(null, "on", null, null),
      framework: may(null, "on", null, null),
      connect: may(null, "on", null, null),
    },
  },
  "cluster/lans/lan/node": {
    wrap: (attributes) =>
      `<cluster><lans><lan name="l">${NODES}<node${attributes}/></lan></lans></cluster>`,
    base: { name: "c", addr: "192.0.2.3" },
    pick: ({ lans }) => lans[0]?.nodes[2],
    attributes: {
      name: must("name", "node3", "node3"),
      addr: must("addr", "[2001:DB8::3]", "2001:db8::3"),
      laddr: may("localAddr", "10.0.0.3", "10.0.0.3", null),
    },
  },
};
