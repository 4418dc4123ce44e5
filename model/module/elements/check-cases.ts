import type { ModuleConfig } from "../config.ts";
import { type ElementCase, may, must } from "./case.ts";

const inMirror = (inner: string) =>
  `<safe><service mode="mirror"><heart><heartbeat name="net"/></heart>\n${inner}</service></safe>`;
const inCheck = (inner: string) => inMirror(`<check>${inner}</check>`);
const pick = ({ checks }: ModuleConfig) => checks[0];
const interval = may("intervalMs", "3", 3000, 10_000);
const timeout = may("timeoutMs", "2", 2000, 5000);
const ident = must("ident", "other_1", "other_1");
const WHEN = ' when="prim"';

/** One case for every row under `<check>`. */
export const CHECK_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  "safe/service/check": {
    wrap: (attributes) => inMirror(`<check${attributes}/>`),
    base: {},
    pick: ({ checks }) => ({ checks }),
    attributes: {},
  },
  "safe/service/check/tcp": {
    wrap: (attributes) => inCheck(`<tcp${attributes}><to addr="127.0.0.1" port="80"/></tcp>`),
    base: { ident: "x", when: "prim" },
    pick,
    attributes: {
      ident,
      when: must("when", "second", "second"),
      action: may("action", "stopstart", "stopstart", "restart"),
    },
  },
  "safe/service/check/tcp/to": {
    wrap: (attributes) => inCheck(`<tcp ident="x"${WHEN}><to${attributes}/></tcp>`),
    base: { addr: "127.0.0.1", port: "80" },
    pick,
    attributes: {
      addr: must("addr", "db.example", "db.example"),
      port: must("port", "5432", 5432),
      interval,
      timeout,
    },
  },
  "safe/service/check/ping": {
    wrap: (attributes) => inCheck(`<ping${attributes}><to addr="192.0.2.1"/></ping>`),
    base: { ident: "x" },
    pick,
    attributes: {
      ident,
      when: may("when", "prim", "prim", "pre"),
      action: may("action", "noaction", "noaction", "wait"),
    },
  },
  "safe/service/check/ping/to": {
    wrap: (attributes) => inCheck(`<ping ident="x"><to${attributes}/></ping>`),
    base: { addr: "192.0.2.1" },
    pick,
    attributes: { addr: must("addr", "::1", "::1"), interval, timeout },
  },
  "safe/service/check/custom": {
    wrap: (attributes) => inCheck(`<custom${attributes}/>`),
    base: { ident: "x", when: "pre", exec: "checker" },
    pick,
    attributes: {
      ident,
      when: must("when", "both", "both"),
      exec: must("exec", "bin/look.sh", "bin/look.sh"),
      arg: may("arg", "-p 80", "-p 80", null),
      action: may("action", "wait", "wait", "noaction"),
    },
  },
  "safe/service/check/intf": {
    wrap: (attributes) => inCheck(`<intf${attributes}><to local_addr="192.0.2.1"/></intf>`),
    base: { ident: "x" },
    pick,
    attributes: { ident, when: may("when", "pre", "pre", "pre") },
  },
  "safe/service/check/intf/to": {
    wrap: (attributes) => inCheck(`<intf ident="x"><to${attributes}/></intf>`),
    base: { local_addr: "192.0.2.1" },
    pick,
    attributes: { local_addr: must("localAddr", "192.0.2.9", "192.0.2.9") },
  },
  "safe/service/check/ip": {
    wrap: (attributes) => inCheck(`<ip${attributes}><to addr="192.0.2.50"/></ip>`),
    base: { ident: "x" },
    pick,
    attributes: { ident, when: may("when", "prim", "prim", "prim") },
  },
  "safe/service/check/ip/to": {
    wrap: (attributes) => inCheck(`<ip ident="x"><to${attributes}/></ip>`),
    base: { addr: "192.0.2.50" },
    pick,
    attributes: { addr: must("addr", "192.0.2.51", "192.0.2.51"), interval },
  },
  "safe/service/check/module": {
    wrap: (attributes) => inCheck(`<module${attributes}/>`),
    base: { name: "db" },
    pick,
    attributes: {
      name: must("name", "store", "store"),
      ident: may("ident", "the_db", "the_db", "db_127.0.0.1"),
    },
  },
  "safe/service/check/module/to": {
    wrap: (attributes) => inCheck(`<module name="db"><to${attributes}/></module>`),
    base: {},
    pick,
    attributes: {
      addr: may("addr", "192.0.2.8", "192.0.2.8", "127.0.0.1"),
      port: may("port", "9453", 9453, 9010),
      interval,
      timeout,
      secure: may("secure", "on", true, false),
    },
  },
  "safe/service/check/splitbrain": {
    wrap: (attributes) => inCheck(`<splitbrain${attributes}/>`),
    base: { ident: "x", arg: "192.0.2.1" },
    pick,
    attributes: {
      ident,
      exec: may("exec", "my_ping", "my_ping", "ping"),
      arg: must("witnesses", "192.0.2.1 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
    },
  },
};
