/** An application in a thread of its own: changes a directory without regard to who reads it. */
import { workerData } from "node:worker_threads";
import type { MutationListener } from "#model/replication/dirty-set.ts";
import { RandomWriter } from "./random-writer.ts";
import { type Report, WRITER, type WriterJob } from "./writer-job.ts";

/** A busy application, but not one that makes more than can be read. */
const STEP_MS = 1;

function run({ root, seed, steps, reports, signals }: WriterJob): void {
  const post = (report: Report): void => reports.postMessage(report);
  const listener: MutationListener = {
    changedFile: (_tree, path, change) =>
      post({ kind: "file", path: Uint8Array.from(path), change }),
    changedDirectory: (_tree, path) => post({ kind: "directory", path: Uint8Array.from(path) }),
    changedSubtree: (_tree, path) => post({ kind: "subtree", path: Uint8Array.from(path) }),
    renamed: (_tree, from, to) =>
      post({ kind: "renamed", from: Uint8Array.from(from), to: Uint8Array.from(to) }),
    changedInode: (_tree, inode) => post({ kind: "inode", inode }),
    lostName: (_tree, inode) => post({ kind: "lostName", inode }),
    changedEverything: () => {},
  };
  const writer = new RandomWriter(root, seed, listener);
  for (let step = 0; step < steps; step += 1) {
    pauseIfAsked(signals);
    writer.step();
    Atomics.add(signals, WRITER.stepsDone, 1);
    const delayMs = STEP_MS + Atomics.load(signals, WRITER.slowMs);
    Atomics.wait(signals, WRITER.pauseAsked, 0, delayMs);
  }
  writer.close();
  // Nothing more comes, but whoever asks for a pause is to be answered.
  for (;;) {
    pauseIfAsked(signals);
    Atomics.wait(signals, WRITER.pauseAsked, 0, 100);
  }
}

function pauseIfAsked(signals: WriterJob["signals"]): void {
  let asked = Atomics.load(signals, WRITER.pauseAsked);
  while (asked !== 0) {
    Atomics.store(signals, WRITER.paused, asked);
    Atomics.notify(signals, WRITER.paused);
    Atomics.wait(signals, WRITER.pauseAsked, asked, 100);
    asked = Atomics.load(signals, WRITER.pauseAsked);
  }
}

run(workerData);
