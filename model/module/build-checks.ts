import { assert } from "../shared/assert.ts";
import type { CheckAction, CheckConfig, CheckWhen, ModuleConfig } from "./config.ts";
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
} from "./elements/check.ts";
import type { ElementSpec } from "./elements/element.ts";
import type { TypedElement } from "./typed-element.ts";

type Mode = ModuleConfig["mode"];

/** The checkers of all `<check>` elements, in the order of the file. */
export const buildChecks = (service: TypedElement, mode: Mode): readonly CheckConfig[] =>
  service
    .childrenOf(CHECK)
    .flatMap((check) => check.children.map((checker) => buildCheck(checker, mode)));

function buildCheck(checker: TypedElement, mode: Mode): CheckConfig {
  switch (checker.spec) {
    case TCP:
      return buildTcp(checker);
    case PING:
      return buildPing(checker);
    case CUSTOM:
      return buildCustom(checker);
    case INTF:
      return buildIntf(checker);
    case IP:
      return buildIp(checker, mode);
    case MODULE:
      return buildModule(checker);
    default:
      return buildSplitbrain(checker);
  }
}

/** What happens where the file names no action: what is legal for the time of the check. */
const defaultCheckAction = (when: CheckWhen): CheckAction => (when === "pre" ? "wait" : "restart");

function buildTcp(tcp: TypedElement): CheckConfig {
  const [row, to] = [TCP_TO.attributes, toOf(tcp, TCP_TO)];
  const when = tcp.read(TCP.attributes.when);
  return {
    kind: "tcp",
    ident: tcp.read(TCP.attributes.ident),
    when,
    action: tcp.read(TCP.attributes.action) ?? defaultCheckAction(when),
    addr: to.read(row.addr),
    port: to.read(row.port),
    intervalMs: to.read(row.interval),
    timeoutMs: to.read(row.timeout),
  };
}

function buildPing(ping: TypedElement): CheckConfig {
  const [row, to] = [PING_TO.attributes, toOf(ping, PING_TO)];
  const when = ping.read(PING.attributes.when);
  return {
    kind: "ping",
    ident: ping.read(PING.attributes.ident),
    when,
    action: ping.read(PING.attributes.action) ?? defaultCheckAction(when),
    addr: to.read(row.addr),
    intervalMs: to.read(row.interval),
    timeoutMs: to.read(row.timeout),
  };
}

const buildCustom = (custom: TypedElement): CheckConfig => ({
  kind: "custom",
  ident: custom.read(CUSTOM.attributes.ident),
  when: custom.read(CUSTOM.attributes.when),
  action: custom.read(CUSTOM.attributes.action),
  exec: custom.read(CUSTOM.attributes.exec),
  arg: custom.read(CUSTOM.attributes.arg),
});

const buildIntf = (intf: TypedElement): CheckConfig => ({
  kind: "intf",
  ident: intf.read(INTF.attributes.ident),
  when: intf.read(INTF.attributes.when),
  action: "wait",
  localAddr: toOf(intf, INTF_TO).read(INTF_TO.attributes.local_addr),
});

function buildIp(ip: TypedElement, mode: Mode): CheckConfig {
  const to = toOf(ip, IP_TO);
  return {
    kind: "ip",
    ident: ip.read(IP.attributes.ident),
    when: ip.read(IP.attributes.when) ?? (mode === "mirror" ? "prim" : "both"),
    action: "stopstart",
    addr: to.read(IP_TO.attributes.addr),
    intervalMs: to.read(IP_TO.attributes.interval),
  };
}

/** Without `<to>` the module of this same node is asked. */
function buildModule(module: TypedElement): CheckConfig {
  const [row, to] = [MODULE_TO.attributes, module.child(MODULE_TO)];
  const addr = to?.read(row.addr) ?? row.addr.absent();
  const name = module.read(MODULE.attributes.name);
  return {
    kind: "module",
    ident: module.read(MODULE.attributes.ident) ?? `${name}_${addr}`,
    when: "pre",
    action: "wait",
    name,
    addr,
    port: to?.read(row.port) ?? row.port.absent(),
    intervalMs: to?.read(row.interval) ?? row.interval.absent(),
    timeoutMs: to?.read(row.timeout) ?? row.timeout.absent(),
    secure: to?.read(row.secure) ?? row.secure.absent(),
  };
}

const buildSplitbrain = (splitbrain: TypedElement): CheckConfig => ({
  kind: "splitbrain",
  ident: splitbrain.read(SPLITBRAIN.attributes.ident),
  when: "pre",
  action: "wait",
  exec: splitbrain.read(SPLITBRAIN.attributes.exec),
  witnesses: splitbrain.read(SPLITBRAIN.attributes.arg).split(" ").filter(Boolean),
});

function toOf(checker: TypedElement, spec: ElementSpec): TypedElement {
  const to = checker.child(spec);
  assert(to !== null, "a checker without its <to> was refused");
  return to;
}
