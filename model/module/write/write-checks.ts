import { assertNever } from "../../shared/assert.ts";
import type { CheckConfig } from "../config.ts";
import {
  CHECK,
  CUSTOM,
  INTF,
  INTF_TO,
  IP,
  IP_TO,
  MODULE,
  MODULE_TO,
  PING,
  PING_TO,
  SPLITBRAIN,
  TCP,
  TCP_TO,
} from "../elements/check.ts";
import { given, tag } from "./xml-writer.ts";

export const writeChecks = (checks: readonly CheckConfig[]): string | null =>
  checks.length === 0 ? null : tag(CHECK, [], checks.map(writeCheck));

function writeCheck(check: CheckConfig): string {
  switch (check.kind) {
    case "tcp":
      return writeTcp(check);
    case "ping":
      return writePing(check);
    case "custom":
      return writeCustom(check);
    case "intf": {
      const { ident } = INTF.attributes;
      const to = tag(INTF_TO, [given(INTF_TO.attributes.local_addr, check.localAddr)]);
      return tag(INTF, [given(ident, check.ident)], [to]);
    }
    case "ip":
      return writeIp(check);
    case "module":
      return writeModule(check);
    case "splitbrain": {
      const row = SPLITBRAIN.attributes;
      const attributes = [
        given(row.ident, check.ident),
        given(row.exec, check.exec),
        given(row.arg, check.witnesses.join(" ")),
      ];
      return tag(SPLITBRAIN, attributes);
    }
    default:
      return assertNever(check);
  }
}

type Of<K extends CheckConfig["kind"]> = Extract<CheckConfig, { kind: K }>;

function writeTcp(check: Of<"tcp">): string {
  const [row, to] = [TCP.attributes, TCP_TO.attributes];
  const attributes = [
    given(row.ident, check.ident),
    given(row.when, check.when),
    given(row.action, check.action),
  ];
  const target = [
    given(to.addr, check.addr),
    given(to.port, check.port),
    given(to.interval, check.intervalMs),
    given(to.timeout, check.timeoutMs),
  ];
  return tag(TCP, attributes, [tag(TCP_TO, target)]);
}

function writePing(check: Of<"ping">): string {
  const [row, to] = [PING.attributes, PING_TO.attributes];
  const attributes = [
    given(row.ident, check.ident),
    given(row.when, check.when),
    given(row.action, check.action),
  ];
  const target = [
    given(to.addr, check.addr),
    given(to.interval, check.intervalMs),
    given(to.timeout, check.timeoutMs),
  ];
  return tag(PING, attributes, [tag(PING_TO, target)]);
}

function writeCustom(check: Of<"custom">): string {
  const row = CUSTOM.attributes;
  return tag(CUSTOM, [
    given(row.ident, check.ident),
    given(row.when, check.when),
    given(row.exec, check.exec),
    given(row.arg, check.arg),
    given(row.action, check.action),
  ]);
}

function writeIp(check: Of<"ip">): string {
  const [row, to] = [IP.attributes, IP_TO.attributes];
  // An <ip> checker watches the role that the address is on: prim or both, never another.
  const when = check.when === "prim" ? "prim" : "both";
  const target = [given(to.addr, check.addr), given(to.interval, check.intervalMs)];
  return tag(IP, [given(row.ident, check.ident), given(row.when, when)], [tag(IP_TO, target)]);
}

function writeModule(check: Of<"module">): string {
  const [row, to] = [MODULE.attributes, MODULE_TO.attributes];
  const target = [
    given(to.addr, check.addr),
    given(to.port, check.port),
    given(to.interval, check.intervalMs),
    given(to.timeout, check.timeoutMs),
    given(to.secure, check.secure),
  ];
  const attributes = [given(row.name, check.name), given(row.ident, check.ident)];
  return tag(MODULE, attributes, [tag(MODULE_TO, target)]);
}
