/**
 * A node returns. On modules of their own, so that what it finds is known: one big file, or many
 * small ones. Times are from the node's own events: the resync begins, the copies are equal.
 */

import type { LabCluster } from "../../../lab/cluster.ts";
import { must, waitFor } from "../../../lab/command.ts";
import type { BenchLab } from "../bench-lab.ts";
import { settle } from "../mirrors.ts";
import { Place } from "../place.ts";
import type { Target } from "../targets.ts";
import type { Figures, Row, Workload } from "../workload.ts";
import { dropCaches } from "./reads.ts";

const DATA = { module: "bench-data", folder: "/srv/data" };
const FILES = { module: "bench-files", folder: "/srv/files" };
const SIZE_MIB = 512;
const SIZE_BYTES = SIZE_MIB * 1024 * 1024;
/** One per cent, as a database would change it: in pieces all over the file. */
const PIECE_BYTES = 64 * 1024;
const PIECES = Math.ceil(SIZE_BYTES / 100 / PIECE_BYTES);
/** A million files that are all new take their time. */
const RESYNC_MS_MAX = 1_800_000;
/** Each within the time that a program may take. */
const FILES_AT_ONCE = 100_000;

const FULL: Row = {
  ...{ key: "resync-full", title: "resync of an empty node, 512 MiB", unit: "MB/s" },
  better: "more",
};
const DELTA: readonly Row[] = [
  { key: "resync-delta-time", title: "resync after 1 % changed", unit: "s", better: "less" },
  {
    ...{ key: "resync-delta-sent", title: "  bytes sent for each byte changed", unit: "x" },
    better: "less",
  },
];
const UNCHANGED: readonly Row[] = [
  {
    ...{ key: "resync-unchanged-time", title: "resync of many small files, unchanged", unit: "s" },
    better: "less",
  },
  { key: "resync-unchanged-sent", title: "  bytes sent", unit: "MB", better: "less" },
];

type Returned = { readonly seconds: number; readonly sentBytes: number };

const stopNode2 = (cluster: LabCluster) => cluster.command({ kind: "stop", node: "node2" });

/** Starts node2's module; how long the resync took, and what left node1 meanwhile. */
async function comeBack(bench: BenchLab, cluster: LabCluster): Promise<Returned> {
  return await timed(bench, cluster, () => cluster.command({ kind: "start", node: "node2" }));
}

async function timed(
  bench: BenchLab,
  cluster: LabCluster,
  begin: () => Promise<unknown>,
): Promise<Returned> {
  const [seen, sentBefore] = [await lastEvent(cluster), await sentBytes(bench)];
  await begin();
  await settle(cluster, RESYNC_MS_MAX);
  const sent = (await sentBytes(bench)) - sentBefore;
  return await waitFor(
    "the events of the resync",
    async () => {
      const events = await cluster.people.events(cluster.module);
      if (!events.ok) return null;
      const recent = events.value.events.filter(({ seq }) => seq > seen);
      const at = (kind: string) => recent.findLast((event) => event.kind === kind)?.atMs;
      const [from, to] = [at("resyncStarted"), at("resyncFinished")];
      if (from === undefined || to === undefined || to < from) return null;
      return { seconds: Math.max(1, to - from) / 1000, sentBytes: sent };
    },
    20_000,
  );
}

async function lastEvent(cluster: LabCluster): Promise<number> {
  const events = await cluster.people.events(cluster.module);
  return Math.max(0, ...(events.ok ? events.value.events.map(({ seq }) => seq) : []));
}

/** What has left node1's network card: heartbeats and the packets' own heads are in it. */
async function sentBytes(bench: BenchLab): Promise<number> {
  const said = await bench.machine("node1").mustExec(["ip", "-j", "-s", "link", "show", "eth0"]);
  const [link]: readonly { stats64?: { tx: { bytes: number } } }[] = JSON.parse(said);
  return link?.stats64?.tx.bytes ?? Number.NaN;
}

const placeOn = (bench: BenchLab, node: "node1" | "node2", folder: string) =>
  new Place(bench.machine(node), folder);

async function dataMirror(bench: BenchLab): Promise<LabCluster> {
  const cluster = await bench.mirror(DATA.module, DATA.folder);
  await placeOn(bench, "node1", DATA.folder).ensureFile("data", SIZE_MIB);
  return cluster;
}

/** A speed of wrong copies would be none. */
async function mustBeEqual(bench: BenchLab): Promise<void> {
  if (!(await areEqual(bench))) throw new Error("the copies differ after the resync");
}

async function areEqual(bench: BenchLab): Promise<boolean> {
  const sums = await Promise.all(
    (["node1", "node2"] as const).map(async (node) => {
      const place = placeOn(bench, node, DATA.folder);
      const done = await place.tryRun(["sha256sum", place.path("data")]);
      return done.code === 0 ? done.stdout : `${node} has none`;
    }),
  );
  return sums[0] === sums[1];
}

/** What the disks allow: the same file from one to the other by a plain program. */
async function copyNatively(bench: BenchLab): Promise<Figures> {
  await dataMirror(bench);
  const from = await placeOn(bench, "node1", "/srv/native").ensureFile("data", SIZE_MIB);
  const to = "/srv/dual/copied";
  await bench.machine("node2").mustExec(["rm", "-f", to]);
  dropCaches();
  // Outside of both machines, which do not see each other's files.
  const source = `if=${bench.machine("node1").path(from)}`;
  const startMs = performance.now();
  await must("dd", [source, `of=${bench.machine("node2").path(to)}`, "bs=1M", "conv=fsync"]);
  return { "resync-full": SIZE_BYTES / 1000 / (performance.now() - startMs) };
}

async function resyncFully(bench: BenchLab): Promise<Figures> {
  const cluster = await dataMirror(bench);
  await stopNode2(cluster);
  const place = placeOn(bench, "node2", DATA.folder);
  await place.shell('rm -f "$1"; sync -f /srv', place.path("data"));
  dropCaches();
  let returned = await comeBack(bench, cluster);
  if (!(await areEqual(bench))) {
    // It knows what changed and sends that only: nobody told it that files were taken away.
    const ask = { kind: "full-resync", node: "node2", confirm: cluster.module } as const;
    returned = await timed(bench, cluster, () => cluster.command(ask));
  }
  await mustBeEqual(bench);
  return { "resync-full": SIZE_BYTES / 1e6 / returned.seconds };
}

async function resyncDelta(_target: Target, bench: BenchLab): Promise<Figures> {
  const cluster = await dataMirror(bench);
  await stopNode2(cluster);
  const place = placeOn(bench, "node1", DATA.folder);
  await place.program("change-pieces", place.path("data"), PIECES, PIECE_BYTES);
  const { seconds, sentBytes: sent } = await comeBack(bench, cluster);
  await mustBeEqual(bench);
  const changed = PIECES * PIECE_BYTES;
  return { "resync-delta-time": seconds, "resync-delta-sent": sent / changed };
}

async function makeFiles(_target: Target, bench: BenchLab): Promise<void> {
  const cluster = await bench.mirror(FILES.module, FILES.folder);
  const place = placeOn(bench, "node1", FILES.folder);
  // Made while it is alone: a resync brings them, which is quicker than one by one.
  await stopNode2(cluster);
  const { files } = bench.options;
  for (let made = 0; made < files; made += FILES_AT_ONCE) {
    bench.say(`    making ${files} files: ${made} are there`);
    const to = Math.min(files, made + FILES_AT_ONCE);
    await place.program("make-files", place.path("many"), made, to);
  }
  const { seconds } = await comeBack(bench, cluster);
  bench.say(`    the other node got them in ${seconds.toFixed(1)} s`);
}

async function resyncUnchanged(_target: Target, bench: BenchLab): Promise<Figures> {
  const cluster = await bench.mirror(FILES.module, FILES.folder);
  await stopNode2(cluster);
  const { seconds, sentBytes: sent } = await comeBack(bench, cluster);
  return { "resync-unchanged-time": seconds, "resync-unchanged-sent": sent / 1e6 };
}

export const RESYNC: readonly Workload[] = [
  {
    ...{ name: "resync-full", rows: [FULL], targets: ["native", "write"] },
    measure: async ({ name }, bench) =>
      name === "native" ? await copyNatively(bench) : await resyncFully(bench),
  },
  { name: "resync-delta", rows: DELTA, targets: ["write"], measure: resyncDelta },
  {
    ...{ name: "resync-unchanged", rows: UNCHANGED, targets: ["write"] },
    ...{ prepare: makeFiles, measure: resyncUnchanged },
  },
];

/** Where the many files lie. */
export const MANY_FILES_FOLDER = `${FILES.folder}/many`;
