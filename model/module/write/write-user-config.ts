import type { DefaultPrimary, FarmMembership, HeartConfig, ModuleConfig } from "../config.ts";
import { FAILOVER } from "../elements/failover.ts";
import {
  FARM,
  FARM_LAN,
  FARM_NODE,
  HEART,
  HEARTBEAT,
  HEARTBEAT_SERVER,
} from "../elements/membership.ts";
import { MACRO, SAFE, SERVICE } from "../elements/service.ts";
import type { FailoverConfig } from "../failover/rule.ts";
import { writeChecks } from "./write-checks.ts";
import { writeRfs } from "./write-rfs.ts";
import { writeErrd, writeUser, writeVhost } from "./write-scripts.ts";
import { writeVip } from "./write-vip.ts";
import { given, tag, textTag } from "./xml-writer.ts";

/** The file that `parseUserConfig` reads back as the same config. Defaults are left out. */
export function writeUserConfig(config: ModuleConfig): string {
  const macros = config.macros.map(({ name, value }) =>
    tag(MACRO, [given(MACRO.attributes.name, name), given(MACRO.attributes.value, value)]),
  );
  return `<!DOCTYPE safe>\n${tag(SAFE, [], [...macros, writeService(config)])}\n`;
}

function writeService(config: ModuleConfig): string {
  const { service } = config;
  const row = SERVICE.attributes;
  const attributes = [
    given(row.mode, config.mode),
    given(row.boot, service.boot),
    given(row.boot_delay, service.bootDelayMs),
    given(row.failover, service.failover),
    given(row.defaultprim, formatDefaultPrimary(service.defaultPrim)),
    given(row.maxloop, service.maxLoop),
    given(row.loop_interval, service.loopIntervalMs),
    given(row.automatic_reboot, service.automaticReboot),
  ];
  const children = [
    config.mode === "mirror" ? writeHeart(config.heart) : null,
    config.mode === "farm" ? writeFarm(config.farm) : null,
    writeVip(config.vip),
    config.mode === "mirror" ? writeRfs(config.rfs) : null,
    writeUser(config.user),
    writeVhost(config.vhost),
    writeErrd(config.errd),
    writeChecks(config.checks),
    writeFailover(config.failover),
  ];
  return tag(
    SERVICE,
    attributes,
    children.filter((child) => child !== null),
  );
}

const formatDefaultPrimary = (primary: DefaultPrimary): string =>
  primary.kind === "node" ? primary.node : primary.kind;

function writeHeart(heart: HeartConfig): string {
  const row = HEARTBEAT.attributes;
  const heartbeats = heart.heartbeats.map((heartbeat) => {
    const isNamed = heartbeat.lan !== null && heartbeat.ident === heartbeat.lan;
    const isNameless = heartbeat.lan === null && heartbeat.ident === "";
    const { pulseMs, timeoutMs } = heartbeat;
    const attributes = [
      given(row.name, heartbeat.lan),
      given(row.ident, isNamed || isNameless ? null : heartbeat.ident),
      given(row.pulse, pulseMs === heart.pulseMs ? null : pulseMs),
      given(row.timeout, timeoutMs === heart.timeoutMs ? null : timeoutMs),
    ];
    const servers = heartbeat.servers.map((addr) =>
      tag(HEARTBEAT_SERVER, [given(HEARTBEAT_SERVER.attributes.addr, addr)]),
    );
    return tag(HEARTBEAT, attributes, servers);
  });
  const attributes = [
    given(HEART.attributes.port, heart.port),
    given(HEART.attributes.pulse, heart.pulseMs),
    given(HEART.attributes.timeout, heart.timeoutMs),
    given(HEART.attributes.permanent_arp, heart.permanentArp),
  ];
  return tag(HEART, attributes, heartbeats);
}

function writeFarm(farm: FarmMembership): string {
  const row = FARM.attributes;
  const attributes = [
    given(row.port, farm.port),
    given(row.pulse, farm.pulseMs),
    given(row.mlost_count, farm.masterLostCount),
    given(row.slost_count, farm.slaveLostCount),
  ];
  const lans = farm.lans.map(({ name, nodes }) => {
    const { attributes: node } = FARM_NODE;
    return tag(
      FARM_LAN,
      [given(FARM_LAN.attributes.name, name)],
      nodes.map((one) => tag(FARM_NODE, [given(node.name, one.name), given(node.addr, one.addr)])),
    );
  });
  return tag(FARM, attributes, lans);
}

function writeFailover(failover: FailoverConfig | null): string | null {
  if (failover === null) return null;
  const attributes = [
    given(FAILOVER.attributes.extends, failover.extendsDefaults),
    given(FAILOVER.attributes.period, failover.periodMs),
    given(FAILOVER.attributes.handle_time, failover.handleTimeMs),
  ];
  return textTag(FAILOVER, attributes, failover.text);
}
