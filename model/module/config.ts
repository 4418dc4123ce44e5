/**
 * What a module file means, after parsing: the one form that agent, control plane and console
 * work with. A module is a mirror (two nodes, one primary, replicated directories), a farm (all
 * nodes serve) or light (one node, start, stop and checkers). The names follow the elements of
 * `userconfig.xml`, so that whoever knows the file knows these types; durations are in
 * milliseconds, sizes in bytes, whatever unit the file used. A value is null where the file says
 * nothing and no fixed default exists: the reader then has a rule of its own.
 *
 * How it is made: `xml.ts` reads the text into elements with positions, `elements/` is the one
 * table of every element and attribute, `check-values.ts` types each value by that table,
 * `build-config.ts` makes these records and `semantics.ts` checks what spans several elements.
 */
import type { FailoverConfig } from "./failover/rule.ts";

/** What a `userconfig.xml` says. */
export type ModuleConfig = MirrorConfig | FarmConfig | LightConfig;

/** The parts that every kind of module has. */
export type CommonConfig = {
  readonly service: ServiceConfig;
  /** null: no `<vip>`, as in a cloud whose load balancer or route carries the address. */
  readonly vip: VipConfig | null;
  /** null: no `<user>`, and then no script of the module is ever run. */
  readonly user: UserConfig | null;
  readonly vhost: VhostConfig | null;
  readonly errd: ErrdConfig | null;
  readonly checks: readonly CheckConfig[];
  /** null: no `<failover>`, so only the default and generated rules hold. */
  readonly failover: FailoverConfig | null;
  /** In the order of the file; values are already expanded. */
  readonly macros: readonly NamedValue[];
};
/** Two nodes, one of them primary. */
export type MirrorConfig = CommonConfig & {
  readonly mode: "mirror";
  readonly heart: HeartConfig;
  /** null: nothing is replicated. */
  readonly rfs: RfsConfig | null;
};
/** All nodes serve and share the load. */
type FarmConfig = CommonConfig & { readonly mode: "farm"; readonly farm: FarmMembership };
/** One node: start, stop, checkers, local restart. */
type LightConfig = CommonConfig & { readonly mode: "light" };

/** A `<macro>` or a `<var>`. */
export type NamedValue = { readonly name: string; readonly value: string };

/** `<service>`: the mode stands in the config itself. */
export type ServiceConfig = {
  readonly boot: "on" | "off" | "auto" | "ignore";
  readonly bootDelayMs: number;
  /** false: a secondary never promotes itself. */
  readonly failover: boolean;
  readonly defaultPrim: DefaultPrimary;
  /** Automatic actions allowed within `loopIntervalMs`; the next one stops the module. */
  readonly maxLoop: number;
  /** 0: the counter is off. */
  readonly loopIntervalMs: number;
  readonly automaticReboot: boolean;
};
/** Who is primary once both run: whoever is alone already, the last primary, or one named node. */
export type DefaultPrimary =
  | { readonly kind: "alone" }
  | { readonly kind: "lastprim" }
  | { readonly kind: "node"; readonly node: string };

/** `<heart>`: pulse and timeout are null when not given, and then the timer profile holds. */
export type HeartConfig = {
  readonly port: number | null;
  readonly pulseMs: number | null;
  readonly timeoutMs: number | null;
  readonly permanentArp: boolean;
  readonly heartbeats: readonly HeartbeatConfig[];
};
/** One heartbeat network. Pulse and timeout are its own or else those of `<heart>`. */
type HeartbeatConfig = {
  /** A network's name in the cluster; null only in the old form that lists `<server addr>`. */
  readonly lan: string | null;
  /** `flow` marks the network that replication uses. */
  readonly ident: string;
  readonly pulseMs: number | null;
  readonly timeoutMs: number | null;
  readonly servers: readonly string[];
};

/** `<farm>`: membership of a farm. */
export type FarmMembership = {
  readonly port: number | null;
  readonly pulseMs: number;
  readonly masterLostCount: number;
  readonly slaveLostCount: number;
  readonly lans: readonly FarmLan[];
};
/** One network of a farm; nodes only in the old form. */
type FarmLan = { readonly name: string; readonly nodes: readonly FarmNode[] };
type FarmNode = { readonly name: string; readonly addr: string };

/** `<vip>`; `virtualAddressesOf` in vips.ts lists the addresses flat. */
export type VipConfig = {
  /** Reset connections whose source is the address, before it leaves the interface. */
  readonly tcpReset: boolean;
  readonly scriptControl: boolean;
  readonly interfaces: readonly InterfaceConfig[];
  readonly groups: readonly LoadBalancingGroup[];
};
/** `<interface>` with its one `<real_interface>` or `<virtual_interface>`. */
export type InterfaceConfig = {
  readonly check: boolean;
  readonly arpReroute: boolean;
  readonly arpIntervalMs: number;
  readonly arpElapseMs: number;
  /** null: found by the subnet of the address. */
  readonly name: string | null;
  readonly link:
    | { readonly kind: "real" }
    | {
        readonly kind: "virtual";
        readonly type: "vmac_directed" | "vmac_invisible";
        readonly mac: string | null;
      };
  readonly addresses: readonly VirtualAddress[];
};
/** `<virtual_addr>`. */
export type VirtualAddress = {
  /** IPv4, IPv6 (no brackets) or a DNS name. */
  readonly addr: string;
  readonly where: "one_side_alias" | "one_side" | "alias";
  readonly check: boolean;
  readonly connections: boolean;
  /** Dotted, IPv4 only; null: the interface's own. */
  readonly netmask: string | null;
};
/** `<group>` of `<loadbalancing_list>`. */
export type LoadBalancingGroup = {
  readonly name: string;
  /** Weights by host name; empty: all nodes, equally. */
  readonly hosts: readonly { readonly name: string; readonly power: number }[];
  readonly rules: readonly LoadBalancingRule[];
};
/** `<rule>`; null: any address, any port. */
type LoadBalancingRule = {
  readonly virtualAddr: string | null;
  readonly port: number | null;
  readonly proto: "udp" | "tcp" | "arp";
  readonly filter: "on_addr" | "on_port" | "on_ipid";
};

/** When a plain write returns: `write` = both nodes have it, `fsync` = only fsync waits for both. */
type SyncMode = "write" | "fsync";

/** `<rfs>`: the replicated directories and how they are copied. */
export type RfsConfig = {
  readonly replicated: readonly ReplicatedDirectory[];
  /** The mode of this product. SafeKit's `async` values both stand for `write` and stronger. */
  readonly sync: SyncMode;
  readonly async: "second" | "none";
  readonly acl: boolean;
  readonly mountOverSuffix: string;
  readonly mountOver: string | null;
  readonly packetSizeBytes: number | null;
  readonly resyncPacketSizeBytes: number;
  readonly zoneBlockSizeBytes: number | null;
  readonly ioTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly resyncThreads: number;
  readonly resyncTimeoutMs: number;
  readonly resyncCommitPackets: number;
  readonly resyncDetail: boolean;
  /** Bytes a second a resync may use; null: no limit. */
  readonly resyncBandwidthMax: number | null;
  readonly connections: number;
  readonly namespacePolicy: "0" | "1" | "3" | "4";
  readonly allocationThresholdBytes: number;
  readonly readOnlyFlags: number;
  readonly selfTestTimeoutMs: number;
  readonly selfTestIntervalMs: number;
  readonly nfsboxOptions: "cross" | "nocross";
  readonly scripts: boolean;
  readonly syncDeltaMs: number;
  readonly syncAt: string | null;
  /** The old way to name the replication network; null: the heartbeat `flow`, else the first. */
  readonly flow: string | null;
};
/** `<replicated>`: one directory tree, under the same path on both nodes. */
export type ReplicatedDirectory = {
  readonly dir: string;
  /** `mode="read_only"`: no local write on the secondary. */
  readonly isReadOnlyOnSecondary: boolean;
  /** Relative paths that must exist before replication starts: guards against a missing mount. */
  readonly toCheck: readonly string[];
  readonly notReplicated: readonly Exclusion[];
};
/** `<notreplicated>`: a relative path, or a POSIX extended regex on relative paths. */
export type Exclusion =
  | { readonly kind: "path"; readonly path: string }
  /** `isInverted` (a leading `!`): replicate only what matches. */
  | { readonly kind: "regex"; readonly pattern: string; readonly isInverted: boolean };

/** `<user>`: the module's scripts. */
export type UserConfig = {
  readonly niceStopTimeoutMs: number;
  readonly forceStopTimeoutMs: number;
  readonly logging: "userlog" | "none";
  readonly userlogSizeBytes: number;
  /** Exported to the scripts, in the order of the file. */
  readonly vars: readonly NamedValue[];
};

/** `<vhost>`: the host name that the application is to see. */
export type VhostConfig = {
  readonly hostnames: readonly {
    readonly name: string;
    readonly envFile: string;
    readonly when: ScriptClass;
  }[];
};

/** The words that tie a watch to the time between a start script and its stop script. */
type ScriptClass = "prim" | "both" | "pre" | "second" | "sec";

/** `<errd>`: watched processes and services. */
export type ErrdConfig = { readonly pollMs: number; readonly procs: readonly ProcConfig[] };
/** `<proc>`. */
export type ProcConfig = {
  /** Command name (at most 15 characters on Linux), or the service's when `isService`. */
  readonly name: string;
  readonly isService: boolean;
  readonly nameRegex: string | null;
  readonly argRegex: string | null;
  /** -1: not tested. */
  readonly atLeast: number;
  /** -1: not tested. 0: the watch fires whenever one runs. */
  readonly atMost: number;
  /** A `ScriptClass`, or a word that a command enables. */
  readonly class: string;
  readonly action: ProcAction;
  readonly restartServices: string | null;
  /** Delay of `(n - 1)` polls before the first look; 0: none. */
  readonly startAfter: number;
};
/** What a missing process leads to; `handler` is an executable in the module's `bin/`. */
export type ProcAction =
  | { readonly kind: "restart" | "stopstart" | "stop" | "noaction" }
  | { readonly kind: "handler"; readonly executable: string };

/** `pre`: from after prestart until before poststop; the rest while that role's script holds. */
export type CheckWhen = "pre" | "prim" | "second" | "both";
/** What a checker that is down leads to. */
export type CheckAction = "wait" | "stop" | "stopstart" | "restart" | "noaction";

/** `<check>`: one checker. Its resource is `<kind>.<ident>`. */
export type CheckConfig =
  | TcpCheck
  | PingCheck
  | CustomCheck
  | IntfCheck
  | IpCheck
  | ModuleCheck
  | SplitbrainCheck;
type Checker = { readonly ident: string; readonly when: CheckWhen; readonly action: CheckAction };
type Polled = { readonly addr: string; readonly intervalMs: number };
export type TcpCheck = Checker &
  Polled & { readonly kind: "tcp"; readonly port: number; readonly timeoutMs: number };
export type PingCheck = Checker & Polled & { readonly kind: "ping"; readonly timeoutMs: number };
/** A looping executable that sets its resource itself; its arguments are split on spaces. */
export type CustomCheck = Checker & {
  readonly kind: "custom";
  readonly exec: string;
  readonly arg: string | null;
};
export type IntfCheck = Checker & { readonly kind: "intf"; readonly localAddr: string };
export type IpCheck = Checker & Polled & { readonly kind: "ip" };
/** Watches another module. */
export type ModuleCheck = Checker &
  Polled & {
    readonly kind: "module";
    readonly name: string;
    readonly port: number;
    readonly timeoutMs: number;
    readonly secure: boolean;
  };
/** Any witness that answers keeps the resource up. The control plane's vote makes it redundant. */
type SplitbrainCheck = Checker & {
  readonly kind: "splitbrain";
  readonly exec: string;
  readonly witnesses: readonly string[];
};

/** What a `cluster.xml` says. */
export type ClusterConfig = {
  readonly port: number;
  readonly pulseMs: number;
  readonly masterLostCount: number;
  readonly slaveLostCount: number;
  readonly lans: readonly ClusterLan[];
};
/** One network, and each node's address on it. */
export type ClusterLan = {
  readonly name: string;
  /** The network of distributed commands: the one marked `command="on"`, else the first. */
  readonly isCommand: boolean;
  readonly nodes: readonly ClusterNode[];
};
/** `addr` as the other nodes see it; `localAddr` only behind address translation. */
export type ClusterNode = {
  readonly name: string;
  readonly addr: string;
  readonly localAddr: string | null;
};
