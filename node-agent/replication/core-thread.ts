/**
 * Entry of a module's data thread: puts the parts together and runs the loop. An exception is a
 * bug, and a data thread with a bug must not answer: the mounts are aborted, so that every caller
 * gets an error instead of waiting for ever, and the main thread is told to fence.
 */

import { availableParallelism } from "node:os";
import { MessageChannel, workerData } from "node:worker_threads";
import { bootMs } from "../adapters/linux/clock.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  keepCapabilitiesAcrossUids,
  raiseDescriptorLimit,
  setUmask,
  unshareFileSystemState,
} from "../adapters/linux/identity.ts";
import { BlockingPool } from "../fuse/blocking-pool.ts";
import { FileIdAllocator } from "../fuse/ports.ts";
import { FuseServer } from "../fuse/server.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import { Acceptor } from "./acceptor.ts";
import { Applier } from "./applier.ts";
import { Core } from "./core.ts";
import { CoreCommands } from "./core-commands.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreStart, FromCore } from "./core-messages.ts";
import type { PeerAddress } from "./engine.ts";
import { LeaseGate } from "./lease-gate.ts";
import { PrimarySide } from "./primary-side.ts";
import { newResyncWords, ResyncWorkerLink } from "./resync-link.ts";
import { SecondarySide } from "./secondary-side.ts";
import { Sender } from "./sender.ts";
import { Sessions } from "./sessions.ts";

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
  const cell = new LeaseCell(start.leaseCell);
  const emit: CoreContext["emit"] = (event) => post({ kind: "event", event });
  const gate = new LeaseGate({
    cell,
    clock: bootMs,
    gapMs: start.gapMs,
    onGap: (gapMs, endedAtBootMs) => emit({ kind: "gapNoticed", gapMs, endedAtBootMs }),
  });
  const sender = new Sender();
  const onFault = (detail: string): void => {
    emit({ kind: "localFault", errno: ERRNO.EIO, detail });
    // It may have happened here in part: from now on the copies are not in step.
    primary.diverged(detail);
  };
  const servers = serve(start, { sender, gate, blocking, onFault });
  let addresses: readonly PeerAddress[] = [];
  const sessions = new Sessions();
  const context: CoreContext = {
    ...start,
    sessions,
    addresses: () => addresses,
    nowMs: bootMs,
    emit,
    startResync: (job) => startResync(start, job),
  };
  const primary = new PrimarySide(context, sender, {
    onAttach: () => {
      for (const server of servers) server.onAttach();
    },
    watch: (listener) => {
      for (const server of servers) server.mutations = listener;
    },
  });
  const rootFds = start.trees.map((tree) => tree.rootFd);
  const secondary = new SecondarySide(context, new Applier(rootFds), blocking);
  const acceptor = new Acceptor({
    listener: start.listenerFd,
    moduleId: start.moduleId,
    nodeId: start.nodeId,
    sessions,
    userTimeoutMs: start.replTimeoutMs,
    onAccepted: (purpose, established) => secondary.accept(purpose, established),
  });
  const commands = new CoreCommands({
    sender,
    primary,
    secondary,
    gate,
    blocking,
    servers,
    rootFds,
    sessions,
    acceptor,
    replTimeoutMs: start.replTimeoutMs,
    nowMs: bootMs,
    setAddresses: (known) => {
      addresses = known;
    },
    emit,
    reply: (id, result) => post({ kind: "reply", id, result }),
  });
  const { port, wakeFd } = start;
  return new Core({
    port,
    wakeFd,
    cell,
    gate,
    blocking,
    servers,
    sender,
    primary,
    secondary,
    acceptor,
    commands,
  });
}

type ServerParts = {
  readonly sender: Sender;
  readonly gate: LeaseGate;
  readonly blocking: BlockingPool;
  readonly onFault: (detail: string) => void;
};

function serve(start: CoreStart, parts: ServerParts): FuseServer[] {
  const ids = new FileIdAllocator(start.trees.length);
  return start.trees.map(
    (tree, number) =>
      new FuseServer({
        device: tree.device,
        tree: { number, id: number + 1, rootFd: tree.rootFd, exclusions: tree.exclusions },
        ids,
        sink: parts.sender,
        gate: parts.gate,
        blocking: parts.blocking,
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
