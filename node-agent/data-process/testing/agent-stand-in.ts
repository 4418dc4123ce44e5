/**
 * An agent as far as its data process can tell, for tests that kill it: takes over what an earlier
 * one left, or opens it, then plays its role and renews its lease. One line for each thing it did.
 */
import { writeSync } from "node:fs";
import { bootMs } from "../../adapters/linux/clock.ts";
import { LeaseCell } from "../../peer/lease-cell.ts";
import type { OpenOptions, ReplicationEngine } from "../../replication/engine.ts";
import { must } from "../../replication/testing/pair.ts";
import type { HostedOptions } from "../protocol.ts";
import { type KeyText, sessionKey } from "../protocol.ts";
import { DataProcesses } from "../survivor.ts";

export type StandInOptions = {
  readonly open: HostedOptions;
  readonly role: "primary" | "secondary";
  readonly epoch: number;
  readonly session: KeyText;
  readonly peerPort: number;
  readonly leaseMs: number;
};

const RENEW_MS = 20;
const EPOCH_OF_BEFORE = { role: "none", epoch: 0, isAttached: false, isPeerRequired: false };

const say = (what: string, value: unknown = null): void => {
  writeSync(1, `${what} ${JSON.stringify(value)}\n`);
};

async function main(o: StandInOptions): Promise<void> {
  const processes = new DataProcesses();
  const survivor = processes.find(o.open.stateDirectory);
  const cell = new LeaseCell(survivor?.memory ?? processes.newMemory());
  const open: OpenOptions = { ...o.open, leaseCell: cell.buffer };
  const taken = (await survivor?.takeOver(open)) ?? null;
  if (taken === null) cell.clear();
  const engine = taken?.engine ?? processes.newEngine();
  engine.onEvent((event) => {
    say(event.kind, event);
    if (event.kind === "resyncAsked") engine.admitResync(event.attachmentId, false);
  });
  engine.addSession(sessionKey(o.session));
  engine.setPeer([{ host: "127.0.0.1", port: o.peerPort }]);
  const port = taken?.port ?? (await must(engine.open(open))).port;
  say("opened", { port, isNew: taken === null, processIds: processes.processIds });
  if (o.role === "secondary") {
    await must(engine.follow({ epoch: o.epoch }));
  } else {
    cell.serve(o.epoch);
    renewLease(cell, o);
    await lead(engine, o.epoch, taken?.standing ?? EPOCH_OF_BEFORE);
  }
  say("plays", o.role);
  process.stdin.once("data", () => {
    void engine.close({ lazy: true }).then(() => process.exit(0));
  });
}

async function lead(
  engine: ReplicationEngine,
  epoch: number,
  was: { readonly role: string; readonly isAttached: boolean },
): Promise<void> {
  if (was.role !== "primary") await must(engine.serve({ epoch, ackBy: "none" }));
  if (was.isAttached) {
    await must(engine.requirePeer(epoch));
    return;
  }
  const attached = new Promise<void>((resolve) => {
    engine.onEvent((event) => {
      if (event.kind === "attached") resolve();
    });
  });
  await must(engine.startResync({ epoch }));
  await attached;
  await must(engine.requirePeer(epoch));
}

/** As the heartbeat thread does. */
function renewLease(cell: LeaseCell, { epoch, leaseMs }: StandInOptions): void {
  const renew = (): void => {
    const nowMs = bootMs();
    cell.setPeerGrant({ epoch, sentAtBootMs: nowMs, untilBootMs: nowMs + leaseMs });
  };
  renew();
  setInterval(renew, RENEW_MS);
}

await main(JSON.parse(process.argv[2] ?? "{}"));
