/** Runs resync targets, one after the other, in a thread of their own. */
import { closeSync, openSync } from "node:fs";
import { type MessagePort, parentPort } from "node:worker_threads";
import type { TargetRecord } from "#model/replication/decide-resync.ts";
import { incompleteMarker } from "../../replication/incomplete-marker.ts";
import { runResyncTarget } from "../target.ts";
import { PortChannel } from "./port-channel.ts";

export type TargetJob = {
  readonly port: MessagePort;
  readonly signals: Int32Array<SharedArrayBuffer>;
  readonly directories: readonly string[];
  readonly exclusions: readonly Uint8Array[];
  readonly stateDirectory: string;
  readonly setAside: string | null;
  /** What this copy's disk says about itself. */
  readonly record: TargetRecord;
};

parentPort?.on("message", (job: TargetJob) => {
  const { port, signals, directories, exclusions, stateDirectory, setAside } = job;
  const record = { offer: () => job.record, forget: () => undefined, complete: () => undefined };
  const trees = directories.map((path) => ({ rootFd: openSync(path, "r"), exclusions }));
  let outcome: unknown;
  try {
    outcome = runResyncTarget({
      trees,
      channel: new PortChannel(port, signals, 1),
      record,
      marker: incompleteMarker(stateDirectory),
      setAside,
      isCancelled: () => false,
    });
  } catch (thrown) {
    outcome = { ok: false, error: { kind: "threw", detail: String(thrown) } };
    new PortChannel(port, signals, 1).close();
  }
  for (const { rootFd } of trees) closeSync(rootFd);
  parentPort?.postMessage(outcome);
});
