import type { ModuleConfig } from "../config.ts";
import { type ElementCase, may, must } from "./case.ts";
import { CHECK_CASES } from "./check-cases.ts";

const file = (attributes: string, inner: string) =>
  `<!DOCTYPE safe>\n<safe>\n<service${attributes}>\n${inner}\n</service>\n</safe>`;
/** A mirror module with this in it. */
export const inMirror = (inner: string, heartbeat = '<heartbeat name="net"/>') =>
  file(' mode="mirror"', `<heart>${heartbeat}</heart>${inner}`);
/** A farm module with this in it. */
export const inFarm = (inner: string) =>
  file(' mode="farm"', `<farm><lan name="net"/></farm>${inner}`);

const asMirror = (config: ModuleConfig) => (config.mode === "mirror" ? config : undefined);
const asFarm = (config: ModuleConfig) => (config.mode === "farm" ? config : undefined);
const faces = (inner: string) => `<vip><interface_list>${inner}</interface_list></vip>`;
const ADDRESS = 'addr="192.0.2.50"';
const rules = (inner: string) =>
  inFarm(
    `<vip><interface_list><interface><virtual_interface type="vmac_directed"><virtual_addr ${ADDRESS} where="alias"/></virtual_interface></interface></interface_list><loadbalancing_list>${inner}</loadbalancing_list></vip>`,
  );
const DIRECTORY = '<replicated dir="/srv/a"/>';

const SERVICE_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  safe: {
    wrap: (attributes) => `<safe${attributes}><service mode="light"/></safe>`,
    base: {},
    pick: (config) => config,
    attributes: {},
  },
  "safe/macro": {
    wrap: (attributes) => `<safe><macro${attributes}/><service mode="light"/></safe>`,
    base: { name: "A", value: "1" },
    pick: ({ macros }) => macros[0],
    attributes: { name: must("name", "B C", "B C"), value: must("value", "/srv", "/srv") },
  },
  "safe/service": {
    wrap: (attributes) => file(attributes, '<heart><heartbeat name="net"/></heart>'),
    base: { mode: "mirror" },
    pick: (config) => ({ mode: config.mode, ...config.service }),
    attributes: {
      mode: must("mode", "mirror", "mirror"),
      boot: may("boot", "auto", "auto", "ignore"),
      boot_delay: may("bootDelayMs", "30", 30_000, 0),
      failover: may("failover", "off", false, true),
      defaultprim: may("defaultPrim", "node1", { kind: "node", node: "node1" }, { kind: "alone" }),
      maxloop: may("maxLoop", "5", 5, 3),
      loop_interval: may("loopIntervalMs", "12", 12 * 3_600_000, 86_400_000),
      automatic_reboot: may("automaticReboot", "on", true, false),
    },
  },
};

const MEMBERSHIP_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  "safe/service/heart": {
    wrap: (attributes) =>
      file(' mode="mirror"', `<heart${attributes}><heartbeat name="net"/></heart>`),
    base: {},
    pick: (config) => asMirror(config)?.heart,
    attributes: {
      port: may("port", "9000", 9000, null),
      pulse: may("pulseMs", "700", 700, null),
      timeout: may("timeoutMs", "30s", 30_000, null),
      permanent_arp: may("permanentArp", "off", false, true),
    },
  },
  "safe/service/heart/heartbeat": {
    wrap: (attributes) => inMirror("", `<heartbeat${attributes}/>`),
    base: { name: "net" },
    pick: (config) => asMirror(config)?.heart.heartbeats[0],
    attributes: {
      name: may("lan", "private", "private", undefined),
      ident: may("ident", "wire", "wire", "net"),
      pulse: may("pulseMs", "500", 500, null),
      timeout: may("timeoutMs", "5000", 5000, null),
    },
  },
  "safe/service/heart/heartbeat/server": {
    wrap: (attributes) => inMirror("", `<heartbeat><server${attributes}/></heartbeat>`),
    base: { addr: "192.0.2.1" },
    pick: (config) => ({ addr: asMirror(config)?.heart.heartbeats[0]?.servers[0] }),
    attributes: { addr: must("addr", "192.0.2.7", "192.0.2.7") },
  },
  "safe/service/farm": {
    wrap: (attributes) => file(' mode="farm"', `<farm${attributes}><lan name="net"/></farm>`),
    base: {},
    pick: (config) => asFarm(config)?.farm,
    attributes: {
      port: may("port", "4806", 4806, null),
      pulse: may("pulseMs", "200", 200, 100),
      mlost_count: may("masterLostCount", "80", 80, 20),
      slost_count: may("slaveLostCount", "40", 40, 10),
    },
  },
  "safe/service/farm/lan": {
    wrap: (attributes) => file(' mode="farm"', `<farm><lan${attributes}/></farm>`),
    base: { name: "net" },
    pick: (config) => asFarm(config)?.farm.lans[0],
    attributes: { name: must("name", "front", "front") },
  },
  "safe/service/farm/lan/node": {
    wrap: (attributes) =>
      file(' mode="farm"', `<farm><lan name="net"><node${attributes}/></lan></farm>`),
    base: { name: "node1", addr: "192.0.2.1" },
    pick: (config) => asFarm(config)?.farm.lans[0]?.nodes[0],
    attributes: {
      name: must("name", "node2", "node2"),
      addr: must("addr", "node2.example", "node2.example"),
    },
  },
};

const ADDRESS_ATTRIBUTES = {
  addr: must("addr", "192.0.2.60", "192.0.2.60"),
  check: may("check", "off", false, true),
  connections: may("connections", "on", true, false),
  netmask: may("netmask", "255.255.255.0", "255.255.255.0", null),
};

const VIP_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  "safe/service/vip": {
    wrap: (attributes) => inMirror(`<vip${attributes}/>`),
    base: {},
    pick: ({ vip }) => vip,
    attributes: {
      tcpreset: may("tcpReset", "off", false, true),
      scriptcontrol: may("scriptControl", "on", true, false),
    },
  },
  "safe/service/vip/interface_list": {
    wrap: (attributes) =>
      inMirror(
        `<vip><interface_list${attributes}><interface><real_interface><virtual_addr ${ADDRESS} where="one_side"/></real_interface></interface></interface_list></vip>`,
      ),
    base: {},
    pick: ({ vip }) => vip?.interfaces[0],
    attributes: {},
  },
  "safe/service/vip/interface_list/interface": {
    wrap: (attributes) =>
      inMirror(
        faces(
          `<interface${attributes}><real_interface><virtual_addr ${ADDRESS} where="one_side"/></real_interface></interface>`,
        ),
      ),
    base: {},
    pick: ({ vip }) => vip?.interfaces[0],
    attributes: {
      check: may("check", "off", false, true),
      arpreroute: may("arpReroute", "on", true, false),
      arpinterval: may("arpIntervalMs", "5", 5000, 60_000),
      arpelapse: may("arpElapseMs", "60", 60_000, 1_200_000),
      name: may("name", "eth1", "eth1", null),
    },
  },
  "safe/service/vip/interface_list/interface/real_interface": {
    wrap: (attributes) =>
      inMirror(
        faces(
          `<interface><real_interface${attributes}><virtual_addr ${ADDRESS} where="one_side"/></real_interface></interface>`,
        ),
      ),
    base: {},
    pick: ({ vip }) => vip?.interfaces[0]?.link,
    attributes: {},
  },
  "safe/service/vip/interface_list/interface/real_interface/virtual_addr": {
    wrap: (attributes) =>
      inMirror(
        faces(
          `<interface><real_interface><virtual_addr${attributes}/></real_interface></interface>`,
        ),
      ),
    base: { addr: "192.0.2.50", where: "one_side" },
    pick: ({ vip }) => vip?.interfaces[0]?.addresses[0],
    attributes: {
      ...ADDRESS_ATTRIBUTES,
      where: must("where", "one_side_alias", "one_side_alias"),
    },
  },
  "safe/service/vip/interface_list/interface/virtual_interface": {
    wrap: (attributes) =>
      inFarm(
        faces(
          `<interface><virtual_interface${attributes}><virtual_addr ${ADDRESS} where="alias"/></virtual_interface></interface>`,
        ),
      ),
    base: { type: "vmac_directed" },
    pick: ({ vip }) => vip?.interfaces[0]?.link,
    attributes: {
      type: must("type", "vmac_invisible", "vmac_invisible"),
      addr: may("mac", "5A:FE:C0:00:02:32", "5A:FE:C0:00:02:32", null),
    },
  },
  "safe/service/vip/interface_list/interface/virtual_interface/virtual_addr": {
    wrap: (attributes) =>
      inFarm(
        faces(
          `<interface><virtual_interface type="vmac_directed"><virtual_addr${attributes}/></virtual_interface></interface>`,
        ),
      ),
    base: { addr: "192.0.2.50", where: "alias" },
    pick: ({ vip }) => vip?.interfaces[0]?.addresses[0],
    attributes: { ...ADDRESS_ATTRIBUTES, where: must("where", "alias", "alias") },
  },
  "safe/service/vip/loadbalancing_list": {
    wrap: (attributes) =>
      inFarm(`<vip><loadbalancing_list${attributes}><group name="g"/></loadbalancing_list></vip>`),
    base: {},
    pick: ({ vip }) => vip?.groups[0],
    attributes: {},
  },
  "safe/service/vip/loadbalancing_list/group": {
    wrap: (attributes) => rules(`<group${attributes}/>`),
    base: { name: "g" },
    pick: ({ vip }) => vip?.groups[0],
    attributes: { name: must("name", "Web", "Web") },
  },
  "safe/service/vip/loadbalancing_list/group/cluster": {
    wrap: (attributes) =>
      rules(`<group name="g"><cluster${attributes}><host name="node1"/></cluster></group>`),
    base: {},
    pick: ({ vip }) => vip?.groups[0]?.hosts[0],
    attributes: {},
  },
  "safe/service/vip/loadbalancing_list/group/cluster/host": {
    wrap: (attributes) => rules(`<group name="g"><cluster><host${attributes}/></cluster></group>`),
    base: { name: "node1" },
    pick: ({ vip }) => vip?.groups[0]?.hosts[0],
    attributes: { name: must("name", "node2", "node2"), power: may("power", "64", 64, 1) },
  },
  "safe/service/vip/loadbalancing_list/group/rule": {
    wrap: (attributes) => rules(`<group name="g"><rule${attributes}/></group>`),
    base: { proto: "udp", filter: "on_addr" },
    pick: ({ vip }) => vip?.groups[0]?.rules[0],
    attributes: {
      virtual_addr: may("virtualAddr", "192.0.2.50", "192.0.2.50", null),
      port: may("port", "80", 80, null),
      proto: must("proto", "tcp", "tcp"),
      filter: must("filter", "on_port", "on_port"),
    },
  },
};

const RFS_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  "safe/service/rfs": {
    wrap: (attributes) => inMirror(`<rfs${attributes}>${DIRECTORY}</rfs>`),
    base: {},
    pick: (config) => asMirror(config)?.rfs,
    attributes: {
      sync: may("sync", "fsync", "fsync", "write"),
      async: may("async", "none", "none", "second"),
      acl: may("acl", "on", true, false),
      mountoversuffix: may("mountOverSuffix", "_x", "_x", "_For_SafeKit_Replication"),
      mountover: may("mountOver", "off", "off", null),
      packetsize: may("packetSizeBytes", "65536", 65_536, null),
      reipacketsize: may("resyncPacketSizeBytes", "4194304", 4_194_304, 8_388_608),
      ruzone_blocksize: may("zoneBlockSizeBytes", "16777216", 16_777_216, null),
      iotimeout: may("ioTimeoutMs", "60", 60_000, 300_000),
      locktimeout: may("lockTimeoutMs", "200", 200_000, 100_000),
      sendtimeout: may("sendTimeoutMs", "1m", 60_000, 30_000),
      nbrei: may("resyncThreads", "3", 3, 6),
      reitimeout: may("resyncTimeoutMs", "90", 90_000, 150_000),
      reicommit: may("resyncCommitPackets", "8", 8, 0),
      reidetail: may("resyncDetail", "on", true, false),
      reiallowedbw: may("resyncBandwidthMax", "10", 10_240, null),
      nbremconn: may("connections", "4", 4, 1),
      namespacepolicy: may("namespacePolicy", "0", "0", "4"),
      allocthreshold: may("allocationThresholdBytes", "2", 2 ** 31, 0),
      roflags: may("readOnlyFlags", "0x10000", 65_536, 16),
      checktime: may("selfTestTimeoutMs", "1000", 1000, 220_000),
      checkintv: may("selfTestIntervalMs", "60", 60_000, 120_000),
      nfsbox_options: may("nfsboxOptions", "nocross", "nocross", "cross"),
      scripts: may("scripts", "on", true, false),
      syncdelta: may("syncDeltaMs", "10", 600_000, 0),
      syncat: may("syncAt", "0 * * * *", "0 * * * *", null),
    },
  },
  "safe/service/rfs/replicated": {
    wrap: (attributes) => inMirror(`<rfs><replicated${attributes}/></rfs>`),
    base: { dir: "/srv/a" },
    pick: (config) => asMirror(config)?.rfs?.replicated[0],
    attributes: {
      dir: must("dir", "/var/lib/app/", "/var/lib/app"),
      mode: may("isReadOnlyOnSecondary", "read_only", true, false),
    },
  },
  "safe/service/rfs/replicated/tocheck": {
    wrap: (attributes) =>
      inMirror(`<rfs><replicated dir="/srv/a"><tocheck${attributes}/></replicated></rfs>`),
    base: { path: "x" },
    pick: (config) => ({ path: asMirror(config)?.rfs?.replicated[0]?.toCheck[0] }),
    attributes: { path: must("path", "PG_VERSION", "PG_VERSION") },
  },
  "safe/service/rfs/replicated/notreplicated": {
    wrap: (attributes) =>
      inMirror(`<rfs><replicated dir="/srv/a"><notreplicated${attributes}/></replicated></rfs>`),
    base: { path: "x" },
    pick: (config) => {
      const excluded = asMirror(config)?.rfs?.replicated[0]?.notReplicated[0];
      return excluded === undefined ? undefined : { excluded };
    },
    attributes: {
      path: may("excluded", "log/old", { kind: "path", path: "log/old" }, undefined),
      regexpath: may(
        "excluded",
        "!.*\\.db$",
        { kind: "regex", pattern: ".*\\.db$", isInverted: true },
        undefined,
      ),
    },
  },
  "safe/service/rfs/flow": {
    wrap: (attributes) => inMirror(`<rfs>${DIRECTORY}<flow${attributes}/></rfs>`),
    base: { name: "net" },
    pick: (config) => ({ flow: asMirror(config)?.rfs?.flow }),
    attributes: { name: must("flow", "net", "net") },
  },
};

const SCRIPT_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  "safe/service/user": {
    wrap: (attributes) => inMirror(`<user${attributes}/>`),
    base: {},
    pick: ({ user }) => user,
    attributes: {
      nicestoptimeout: may("niceStopTimeoutMs", "60", 60_000, 300_000),
      forcestoptimeout: may("forceStopTimeoutMs", "2m", 120_000, 300_000),
      logging: may("logging", "none", "none", "userlog"),
      userlogsize: may("userlogSizeBytes", "1", 1024, 2_097_152),
    },
  },
  "safe/service/user/var": {
    wrap: (attributes) => inMirror(`<user><var${attributes}/></user>`),
    base: { name: "A", value: "" },
    pick: ({ user }) => user?.vars[0],
    attributes: {
      name: must("name", "SERVICES", "SERVICES"),
      value: must("value", "a, b", "a, b"),
    },
  },
  "safe/service/vhost": {
    wrap: (attributes) =>
      inMirror(`<vhost${attributes}><virtualhostname name="h" envfile="e"/></vhost>`),
    base: {},
    pick: ({ vhost }) => vhost,
    attributes: {},
  },
  "safe/service/vhost/virtualhostname": {
    wrap: (attributes) => inMirror(`<vhost><virtualhostname${attributes}/></vhost>`),
    base: { name: "h", envfile: "e" },
    pick: ({ vhost }) => vhost?.hostnames[0],
    attributes: {
      name: must("name", "db", "db"),
      envfile: must("envFile", "vhostenv.sh", "vhostenv.sh"),
      when: may("when", "both", "both", "prim"),
    },
  },
  "safe/service/errd": {
    wrap: (attributes) => inMirror(`<user/><errd${attributes}/>`),
    base: {},
    pick: ({ errd }) => errd,
    attributes: { polltimer: may("pollMs", "10", 10_000, 30_000) },
  },
  "safe/service/errd/proc": {
    wrap: (attributes) => inMirror(`<user/><errd><proc${attributes}/></errd>`),
    base: { name: "app", class: "own", service: "yes", action: "restart" },
    pick: ({ errd }) => errd?.procs[0],
    attributes: {
      name: must("name", "postgres", "postgres"),
      service: may("isService", "yes", true, false),
      nameregex: may("nameRegex", "^pg", "^pg", null),
      argregex: may("argRegex", "-D /srv", "-D /srv", null),
      atleast: may("atLeast", "2", 2, 1),
      atmax: may("atMost", "4", 4, -1),
      class: must("class", "prim", "prim"),
      action: may(
        "action",
        "my_handler",
        { kind: "handler", executable: "my_handler" },
        { kind: "stopstart" },
      ),
      restart_services: may("restartServices", "a, b", "a, b", null),
      start_after: may("startAfter", "3", 3, 0),
    },
  },
  "safe/service/failover": {
    wrap: (attributes) =>
      inMirror(`<failover${attributes}>a: if (tcp.x == down) then stop();</failover>`),
    base: {},
    pick: ({ failover }) => failover,
    attributes: {
      extends: may("extendsDefaults", "no", false, true),
      period: may("periodMs", "1000", 1000, 5000),
      handle_time: may("handleTimeMs", "20000", 20_000, 15_000),
    },
  },
};

/** One case for every row of `userconfig.xml`. */
export const USER_CASES: Readonly<Record<string, ElementCase<ModuleConfig>>> = {
  ...SERVICE_CASES,
  ...MEMBERSHIP_CASES,
  ...VIP_CASES,
  ...RFS_CASES,
  ...SCRIPT_CASES,
  ...CHECK_CASES,
};
