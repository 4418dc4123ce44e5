import {
  BITS,
  DIRECTORY,
  duration,
  integer,
  NAME,
  ON_OFF,
  oneOf,
  REGEX,
  RELATIVE_PATH,
  size,
  TEXT,
} from "../value-type.ts";
import { any, atLeastOne, atMostOne, defaulted, element, optional, required } from "./element.ts";

const WINDOWS = "it belongs to the Windows version";
const NFS = "it tunes SafeKit's NFS transport";
const GIGABYTES_MAX = 1024 * 1024;
const PACKET_BYTES_MAX = 2 ** 30;

export const TOCHECK = element(
  "tocheck",
  "Guards against a disk that is not mounted.",
  { path: required(RELATIVE_PATH, "Relative path that must exist before replication starts.") },
  [],
);

export const NOTREPLICATED = element("notreplicated", "What stays local to each node.", {
  path: optional(RELATIVE_PATH, "Relative path of a file or subtree; this or regexpath."),
  regexpath: optional(
    REGEX,
    "Regex on relative paths; with a leading ! only what matches is replicated.",
  ).understood(),
});

export const REPLICATED = element(
  "replicated",
  "One directory tree, under the same path on both nodes.",
  {
    dir: required(DIRECTORY, "Absolute path."),
    mode: optional(
      oneOf("read_only"),
      "read_only: no local write on the secondary. The copy of a secondary is always so here.",
    ),
  },
  [any(TOCHECK), any(NOTREPLICATED)],
);

export const FLOW = element(
  "flow",
  "The old way to choose the network of replication.",
  { name: required(NAME, "A heartbeat's ident; by default flow, else the first heartbeat.") },
  [],
  { support: "understood" },
);

/** How much a resync may take, and when a write returns. */
const PROMISES = {
  sync: defaulted(
    oneOf("write", "fsync"),
    "write",
    "Ours: write = a write returns when both nodes have it; fsync = only fsync waits for both.",
  ),
  async: defaulted(
    oneOf("second", "none"),
    "second",
    "SafeKit: second = the peer acknowledges on receipt, none = after its disk. Both stand for sync=write.",
  ),
  reiallowedbw: optional(
    size("KB/s", 1, 1024 * 1024 * 1024),
    "Bandwidth that a resync may use; by default no limit.",
  ),
};

/** What tunes SafeKit's own transport, and has other means here or none. */
const TUNING = {
  acl: defaulted(ON_OFF, "off", "Replicate access control lists.").understood(
    "ACLs are always replicated",
  ),
  mountoversuffix: defaulted(
    TEXT,
    "_For_SafeKit_Replication",
    "SafeKit on Linux renames the directory with this suffix.",
  ).ignored("no directory is renamed"),
  mountover: optional(TEXT, "Old templates.").ignored("no directory is renamed"),
  packetsize: optional(size("B", 512, PACKET_BYTES_MAX), "Read and write size of NFS.").ignored(
    NFS,
  ),
  reipacketsize: defaulted(
    size("B", 512, PACKET_BYTES_MAX),
    "8388608",
    "Bytes in a packet of a resync.",
  ).understood(),
  ruzone_blocksize: optional(
    size("B", 512, PACKET_BYTES_MAX),
    "Zone of the map of changes, a multiple of reipacketsize; by default reipacketsize.",
  ).understood(),
  iotimeout: defaulted(
    duration("s"),
    "300s",
    "A change not replicated in this time: the primary goes on alone.",
  ).ignored(WINDOWS),
  locktimeout: defaulted(
    duration("s"),
    "100s",
    "A replication request not answered in this time: the primary goes on alone.",
  ).understood("replication has a timeout of the timer profile"),
  sendtimeout: defaulted(
    duration("s"),
    "30s",
    "A TCP send not done in this time: the primary goes on alone.",
  ).understood("replication has a timeout of the timer profile"),
  nbrei: defaulted(integer(1, 256), "6", "Parallel threads of a resync.").understood(),
  reitimeout: defaulted(duration("s"), "150s", "Timeout of a resync request.").understood(),
  reicommit: defaulted(
    integer(0, 1_000_000),
    "0",
    "Commit a file every so many packets; 0: at its end.",
  ).ignored(NFS),
  reidetail: defaulted(ON_OFF, "off", "Detailed log of a resync.").understood(),
  nbremconn: defaulted(integer(1, 64), "1", "TCP connections between the nodes.").understood(),
  namespacepolicy: defaulted(
    oneOf("0", "1", "3", "4"),
    "4",
    "Resync by zones: 0 never, 1 not after a reboot, 3 also then, 4 with resumable full copies.",
  ).understood(),
  allocthreshold: defaulted(
    size("GB", 0, GIGABYTES_MAX),
    "0",
    "Preallocate files above this size.",
  ).ignored(WINDOWS),
  roflags: defaulted(
    BITS,
    "0x10",
    "What a write on the secondary leads to: 0x10 logged, 0x10000 stop.",
  ).ignored(WINDOWS),
  checktime: defaulted(duration("ms"), "220000ms", "Timeout of the NFS self test.").ignored(NFS),
  checkintv: defaulted(duration("s"), "120s", "Time between two self tests.").ignored(NFS),
  nfsbox_options: defaulted(
    oneOf("cross", "nocross"),
    "cross",
    "Whether mount points and junctions are crossed.",
  ).ignored(WINDOWS),
  scripts: defaulted(ON_OFF, "off", "Call the module's _rfs_* scripts.").understood(),
  syncdelta: defaulted(
    duration("m"),
    "0m",
    "Let a stale node become primary if it was in sync less than this ago; up to 1m: never.",
  ).understood("a node that may lack acknowledged writes starts only when a person forces it"),
  syncat: optional(TEXT, "Schedule (crontab) of a weak synchronisation.").understood(
    "replication is always synchronous",
  ),
};

export const RFS = element(
  "rfs",
  "Mirror: the replicated directories.",
  { ...PROMISES, ...TUNING },
  [atLeastOne(REPLICATED), atMostOne(FLOW)],
);
