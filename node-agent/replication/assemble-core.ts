/**
 * Puts the parts of a module's data loop together. Whatever touches the machine comes in as a port:
 * core-thread.ts gives the kernel's, the simulation its own, and both run what is made here.
 */

import type { MutationListener } from "#model/replication/dirty-set.ts";
import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import type { ChangeGuard, FuseService, ReplyGate } from "../fuse/ports.ts";
import type { LeaseCell } from "../peer/lease-cell.ts";
import { Acceptor } from "./acceptor.ts";
import { ChangeKeeper } from "./change-keeper.ts";
import type { ChangeStore } from "./change-store.ts";
import { type BlockingWakeups, Core, type CoreInbox } from "./core.ts";
import { CoreCommands } from "./core-commands.ts";
import type { CoreContext } from "./core-context.ts";
import type { CommandResult } from "./core-messages.ts";
import type { PeerAddress } from "./engine.ts";
import { LeaseGate } from "./lease-gate.ts";
import type { Network, Poller } from "./network.ts";
import type { OperationSink } from "./operation.ts";
import { PrimarySide } from "./primary-side.ts";
import type { OperationApplier } from "./receiver.ts";
import { SecondarySide } from "./secondary-side.ts";
import { Sender, type SyncMode } from "./sender.ts";
import { Sessions } from "./sessions.ts";

/** What the servers of the mounts are connected to. */
export type ServerParts = {
  readonly sink: OperationSink;
  readonly gate: ReplyGate;
  readonly changes: ChangeGuard;
  /** Something was done here in part: the copies may differ now. */
  readonly onFault: (detail: string) => void;
  /** The disk failed; what it holds of what was answered is not less than before. */
  readonly onDiskError: (errno: number, operation: string) => void;
};

export type CorePorts = {
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly stateDirectory: string;
  readonly syncMode: SyncMode;
  readonly replTimeoutMs: number;
  readonly gapMs: number;
  readonly resyncBytesPerSecond: number | null;
  readonly durablePointMs: number;
  readonly listenerFd: number;
  readonly rootFds: readonly number[];
  readonly cell: LeaseCell;
  readonly nowMs: () => BootMs;
  readonly network: Network;
  readonly newPoller: (slots: number) => Poller;
  readonly inbox: CoreInbox;
  readonly blocking: BlockingWakeups;
  readonly applier: OperationApplier;
  readonly changeStore: ChangeStore;
  readonly newServers: (parts: ServerParts) => readonly FuseService[];
  readonly startResync: CoreContext["startResync"];
  readonly emit: CoreContext["emit"];
  readonly reply: (id: number, result: CommandResult) => void;
};

/** The loop, ready to run. */
export function assembleCore(ports: CorePorts): Core {
  const { cell, nowMs, emit, blocking, inbox, newPoller } = ports;
  const gate = new LeaseGate({
    cell,
    clock: nowMs,
    gapMs: ports.gapMs,
    onGap: (gapMs, endedAtBootMs) => emit({ kind: "gapNoticed", gapMs, endedAtBootMs }),
  });
  const sender = new Sender({ syncMode: ports.syncMode });
  const leaveStep = (detail: string): void => {
    emit({ kind: "localFault", errno: ERRNO.EIO, detail });
    primary.diverged(detail);
  };
  const keeper = new ChangeKeeper(ports.changeStore, sender, leaveStep);
  const onFault = (detail: string): void => {
    // It may have happened here in part: the copies are not in step, and where is not known.
    keeper.giveUp(`an operation failed in part (${detail})`);
    leaveStep(detail);
  };
  const onDiskError = (errno: number, operation: string): void => {
    emit({ kind: "localFault", errno, detail: `${operation}: ${errnoName(errno)}` });
  };
  const servers = ports.newServers({
    ...{ sink: sender, gate, changes: keeper, onFault, onDiskError },
  });
  for (const server of servers) server.mutations = keeper.record;
  let addresses: readonly PeerAddress[] = [];
  const sessions = new Sessions();
  const context: CoreContext = { ...ports, keeper, sessions, addresses: () => addresses };
  const primary = new PrimarySide(context, sender, {
    onAttach: () => {
      for (const server of servers) server.onAttach();
    },
    watch: (listener) => {
      const mutations = listener === null ? keeper.record : bothOf(keeper.record, listener);
      for (const server of servers) server.mutations = mutations;
    },
  });
  const secondary = new SecondarySide(context, ports.applier);
  const acceptor = newAcceptor(ports, sessions, secondary);
  const commands = new CoreCommands({
    ...{ sender, primary, secondary, gate, blocking, servers, sessions, acceptor, nowMs, emit },
    keeper,
    rootFds: ports.rootFds,
    replTimeoutMs: ports.replTimeoutMs,
    setAddresses: (known) => {
      addresses = known;
    },
    reply: ports.reply,
  });
  return new Core({
    ...{ inbox, newPoller, cell, gate, blocking, servers, sender, primary, secondary },
    ...{ acceptor, commands },
  });
}

function bothOf(a: MutationListener, b: MutationListener): MutationListener {
  return {
    changedFile: (tree, path, change) => {
      a.changedFile(tree, path, change);
      b.changedFile(tree, path, change);
    },
    changedDirectory: (tree, path) => {
      a.changedDirectory(tree, path);
      b.changedDirectory(tree, path);
    },
    changedSubtree: (tree, path) => {
      a.changedSubtree(tree, path);
      b.changedSubtree(tree, path);
    },
    renamed: (tree, from, to) => {
      a.renamed(tree, from, to);
      b.renamed(tree, from, to);
    },
    changedInode: (tree, inode) => {
      a.changedInode(tree, inode);
      b.changedInode(tree, inode);
    },
    lostName: (tree, inode) => {
      a.lostName(tree, inode);
      b.lostName(tree, inode);
    },
    changedEverything: () => {
      a.changedEverything();
      b.changedEverything();
    },
  };
}

function newAcceptor(ports: CorePorts, sessions: Sessions, secondary: SecondarySide): Acceptor {
  return new Acceptor({
    listener: ports.listenerFd,
    moduleId: ports.moduleId,
    nodeId: ports.nodeId,
    sessions,
    userTimeoutMs: ports.replTimeoutMs,
    network: ports.network,
    onAccepted: (purpose, established) => secondary.accept(purpose, established),
  });
}
