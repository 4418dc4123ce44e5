/**
 * Entry of a module's data thread: puts the parts together and runs the loop. An exception is a
 * bug, and a data thread with a bug must not answer: the mounts are aborted, so that every caller
 * gets an error instead of waiting for ever, and the main thread is told to fence.
 */

import { availableParallelism } from "node:os";
import { MessageChannel, receiveMessageOnPort, workerData } from "node:worker_threads";
import { bootMs } from "../adapters/linux/clock.ts";
import { read } from "../adapters/linux/file.ts";
import {
  keepCapabilitiesAcrossUids,
  raiseDescriptorLimit,
  setUmask,
  unshareFileSystemState,
} from "../adapters/linux/identity.ts";
import { linuxNetwork } from "../adapters/linux/network.ts";
import { PollSet } from "../adapters/linux/poll.ts";
import { BlockingPool } from "../fuse/blocking-pool.ts";
import { FileIdAllocator } from "../fuse/ports.ts";
import { FuseServer } from "../fuse/server.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import { Applier } from "./applier.ts";
import { assembleCore, type ServerParts } from "./assemble-core.ts";
import { FileChangeStore } from "./change-store.ts";
import type { Core, CoreInbox } from "./core.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreStart, FromCore, ToCore } from "./core-messages.ts";
import { newResyncWords, ResyncWorkerLink } from "./resync-link.ts";

const DESCRIPTORS_WANTED = 1 << 20;
/** They wait for disks, not for processors; more than a few only queue in the disk. */
const HELPER_THREADS = Math.min(4, availableParallelism());

function run(start: CoreStart): void {
  const post = (message: FromCore): void => start.port.postMessage(message);
  prepareThread();
  const blocking = new BlockingPool({ threads: HELPER_THREADS });
  const core = assemble(start, blocking, post);
  post({ kind: "ready" });
  try {
    core.run();
  } finally {
    blocking.close();
    start.port.close();
  }
}

/** Files are born with the owner and mode that the primary's caller gave them, as exactly as can be. */
function prepareThread(): void {
  raiseDescriptorLimit(DESCRIPTORS_WANTED);
  unshareFileSystemState();
  setUmask(0);
  keepCapabilitiesAcrossUids();
}

function assemble(
  start: CoreStart,
  blocking: BlockingPool,
  post: (message: FromCore) => void,
): Core {
  const rootFds = start.trees.map((tree) => tree.rootFd);
  return assembleCore({
    ...start,
    rootFds,
    cell: new LeaseCell(start.leaseCell),
    nowMs: bootMs,
    network: linuxNetwork,
    newPoller: (slots) => new PollSet(slots),
    inbox: inboxOf(start),
    blocking,
    applier: new Applier(rootFds),
    changeStore: new FileChangeStore(start.stateDirectory, rootFds, blocking),
    newServers: (parts) => serve(start, parts, blocking),
    startResync: (job) => startResync(start, job),
    emit: (event) => post({ kind: "event", event }),
    reply: (id, result) => post({ kind: "reply", id, result }),
  });
}

function inboxOf({ port, wakeFd }: CoreStart): CoreInbox {
  const counter = new Uint8Array(8);
  return {
    wakeFd,
    clearWake: () => {
      read(wakeFd, counter, counter.length);
    },
    take: () => {
      const received: { message: ToCore } | undefined = receiveMessageOnPort(port);
      return received?.message ?? null;
    },
  };
}

function serve(start: CoreStart, parts: ServerParts, blocking: BlockingPool): FuseServer[] {
  const ids = new FileIdAllocator(start.trees.length);
  return start.trees.map(
    (tree, number) =>
      new FuseServer({
        device: tree.device,
        tree: { number, id: number + 1, rootFd: tree.rootFd, exclusions: tree.exclusions },
        ids,
        sink: parts.sink,
        gate: parts.gate,
        blocking,
        changes: parts.changes,
        onDiskError: parts.onDiskError,
        onFault: ({ operation, detail }) => parts.onFault(`${operation}: ${detail}`),
      }),
  );
}

/** The main thread starts the resync thread: it hears when that one fails. */
function startResync(
  start: CoreStart,
  job: Parameters<CoreContext["startResync"]>[0],
): ResyncWorkerLink {
  const { port1, port2 } = new MessageChannel();
  const words = newResyncWords();
  const trees = start.trees.map(({ rootFd, exclusions }) => ({ rootFd, exclusions }));
  const message: FromCore = {
    kind: "startResync",
    spec: { ...job, trees, wakeFd: start.wakeFd, words },
    port: port2,
  };
  start.port.postMessage(message, [port2]);
  return new ResyncWorkerLink(port1, words);
}

run(workerData);
