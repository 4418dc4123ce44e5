import { assert } from "../shared/assert.ts";
import { buildChecks } from "./build-checks.ts";
import { buildRfs } from "./build-rfs.ts";
import { buildErrd, buildUser, buildVhost } from "./build-scripts.ts";
import { buildVip } from "./build-vip.ts";
import type {
  CommonConfig,
  DefaultPrimary,
  FarmMembership,
  HeartConfig,
  ModuleConfig,
  NamedValue,
  ServiceConfig,
} from "./config.ts";
import { FAILOVER } from "./elements/failover.ts";
import {
  FARM,
  FARM_LAN,
  FARM_NODE,
  HEART,
  HEARTBEAT,
  HEARTBEAT_SERVER,
} from "./elements/membership.ts";
import { MACRO, SERVICE } from "./elements/service.ts";
import type { FailoverConfig } from "./failover/rule.ts";
import { parseFailoverText } from "./failover/text.ts";
import type { TypedElement } from "./typed-element.ts";

/** Makes the config of a `<service>` in which nothing is wrong any more. */
export function buildConfig(service: TypedElement, macros: readonly TypedElement[]): ModuleConfig {
  const mode = service.read(SERVICE.attributes.mode);
  const common: CommonConfig = {
    service: buildService(service),
    vip: buildVip(service),
    user: buildUser(service),
    vhost: buildVhost(service),
    errd: buildErrd(service),
    checks: buildChecks(service, mode),
    failover: buildFailover(service.child(FAILOVER)),
    macros: macros.map(buildMacro),
  };
  if (mode === "light") return { mode, ...common };
  if (mode === "farm") return { mode, ...common, farm: buildFarm(service.child(FARM)) };
  return { mode, ...common, heart: buildHeart(service.child(HEART)), rfs: buildRfs(service) };
}

const buildMacro = (macro: TypedElement): NamedValue => ({
  name: macro.read(MACRO.attributes.name),
  value: macro.read(MACRO.attributes.value),
});

function buildService(service: TypedElement): ServiceConfig {
  const row = SERVICE.attributes;
  return {
    boot: service.read(row.boot),
    bootDelayMs: service.read(row.boot_delay),
    failover: service.read(row.failover),
    defaultPrim: buildDefaultPrimary(service.read(row.defaultprim)),
    maxLoop: service.read(row.maxloop),
    loopIntervalMs: service.read(row.loop_interval),
    automaticReboot: service.read(row.automatic_reboot),
  };
}

function buildDefaultPrimary(word: string): DefaultPrimary {
  if (word === "alone" || word === "lastprim") return { kind: word };
  return { kind: "node", node: word };
}

function buildHeart(heart: TypedElement | null): HeartConfig {
  assert(heart !== null, "a mirror without <heart> was refused");
  const row = HEART.attributes;
  const [pulseMs, timeoutMs] = [heart.read(row.pulse), heart.read(row.timeout)];
  return {
    port: heart.read(row.port),
    pulseMs,
    timeoutMs,
    permanentArp: heart.read(row.permanent_arp),
    heartbeats: heart.childrenOf(HEARTBEAT).map((heartbeat) => {
      const lan = heartbeat.read(HEARTBEAT.attributes.name);
      const servers = heartbeat.childrenOf(HEARTBEAT_SERVER);
      return {
        lan,
        ident: heartbeat.read(HEARTBEAT.attributes.ident) ?? lan ?? "",
        pulseMs: heartbeat.read(HEARTBEAT.attributes.pulse) ?? pulseMs,
        timeoutMs: heartbeat.read(HEARTBEAT.attributes.timeout) ?? timeoutMs,
        servers: servers.map((server) => server.read(HEARTBEAT_SERVER.attributes.addr)),
      };
    }),
  };
}

function buildFarm(farm: TypedElement | null): FarmMembership {
  assert(farm !== null, "a farm without <farm> was refused");
  const row = FARM.attributes;
  return {
    port: farm.read(row.port),
    pulseMs: farm.read(row.pulse),
    masterLostCount: farm.read(row.mlost_count),
    slaveLostCount: farm.read(row.slost_count),
    lans: farm.childrenOf(FARM_LAN).map((lan) => ({
      name: lan.read(FARM_LAN.attributes.name),
      nodes: lan.childrenOf(FARM_NODE).map((node) => ({
        name: node.read(FARM_NODE.attributes.name),
        addr: node.read(FARM_NODE.attributes.addr),
      })),
    })),
  };
}

function buildFailover(failover: TypedElement | null): FailoverConfig | null {
  if (failover === null) return null;
  const { rules, hasLua } = parseFailoverText(failover.text);
  return {
    extendsDefaults: failover.read(FAILOVER.attributes.extends),
    periodMs: failover.read(FAILOVER.attributes.period),
    handleTimeMs: failover.read(FAILOVER.attributes.handle_time),
    text: failover.text.trim(),
    hasLua,
    rules,
  };
}
