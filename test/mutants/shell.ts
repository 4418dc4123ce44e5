import type { Mutant } from "./mutant.ts";

const NODE = "model/quorum/node";

/** What is around the protocol: whole agents must show it in a simulated world. */
export const SHELL: readonly Mutant[] = [
  {
    id: "M04",
    wrong: "leases are judged by the wall clock",
    file: "node-agent/mirror/mirror-module.ts",
    find: "      nowBootMs: options.clock.bootMs,",
    replace:
      "      nowBootMs: ((aheadMs) => () => options.clock.unixMs() - aheadMs)(options.clock.unixMs() - options.clock.bootMs()),",
    caughtBy: { simSeed: 3 },
  },
  {
    id: "M01",
    wrong: "a receiver does not look at the epoch of what it applies",
    file: "model/replication/receiver-order.ts",
    find: '    if (this.#followed === null) return err(this.#refusal("this node follows no primary"));\n    if (epoch < this.known) {',
    replace:
      "    if (this.#followed === null) return ok(undefined);\n    if (epoch < this.known && epoch < 0) {",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M05",
    wrong: "a holder counts its lease for longer than the voter keeps it",
    file: "model/quorum/timers.ts",
    find: "export const HOLDER_SHARE = 0.9;",
    replace: "export const HOLDER_SHARE = 1.5;",
    caughtBy: { simSeed: 5 },
  },
  {
    id: "M08",
    wrong: "an fsync returns when the other node has it, before it is on that disk",
    file: "model/replication/sender-window.ts",
    find: '      if (entry.need === "durable") this.#undurable.set(entry.sequence, entry);\n      else this.#free(entry);',
    replace: "      this.#free(entry);",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M39",
    wrong: "operations that wait are acknowledged when their stream breaks",
    file: "model/replication/sender-window.ts",
    find: "  detach(): void {\n    this.#strand();",
    replace:
      "  detach(): void {\n    this.#strand();\n    for (const entry of this.#stranded) this.#free(entry);",
    caughtBy: { simSeed: 3 },
  },
  {
    id: "M18",
    wrong: "a data thread answers without looking at the lease",
    file: "node-agent/replication/lease-gate.ts",
    find: "    return this.#options.cell.isLive(this.look(0));",
    replace: "    return this.look(0) > 0;",
    caughtBy: { simSeed: 4 },
  },
  {
    id: "M21",
    wrong: "a node whose quorum file is damaged takes itself for a new one",
    file: `${NODE}/boot.ts`,
    find: "freshDisk(config.moduleId, config.self, e.bootId, e.isDiskLost)",
    replace: "freshDisk(config.moduleId, config.self, e.bootId, false)",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M29",
    wrong: "a resync does not look again at what the application changed meanwhile",
    file: "model/replication/dirty-set.ts",
    find: "    const { inode, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = change;",
    replace:
      "    const { inode, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = change;\n    if (offsetBytes >= 0) return;",
    caughtBy: { simSeed: 3 },
  },
  {
    id: "M30",
    wrong: "a state that could not be written is taken for written",
    file: "node-agent/mirror/quorum-loop.ts",
    find: '        this.#waiting.unshift({ kind: "persistFailed", cause, kept: this.#disk });\n        break;',
    replace: "        void cause;",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M50",
    wrong: "an operation that is sent again is applied again",
    file: "model/replication/receiver-order.ts",
    find: '    if (sequence <= this.#appliedSequence) return ok("duplicate");',
    replace: '    if (sequence <= this.#appliedSequence) return ok("apply");',
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M51",
    wrong: "a copy counts as complete before its resync has ended",
    file: `${NODE}/wait.ts`,
    find: "  const isComplete = s.attachedEpoch === s.disk.epoch && s.fault === null;",
    replace: "  const isComplete = s.fault === null;",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M52",
    wrong: "a resync leaves out files that were removed or came by another name meanwhile",
    file: "model/replication/dirty-set.ts",
    find: "    if (entry !== null) entry.listing = true;",
    replace: "    if (entry === null) this.changedEverything();",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M53",
    wrong: "a stopped node counts as clean, whatever is on its disk",
    file: "node-agent/mirror/data-plane.ts",
    find: "      const isSynced = await this.#options.sync();",
    replace: "      const isSynced = true;",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M54",
    wrong: "a call to a cloud that hangs is waited for",
    file: "functions/reconciler/reconciler.ts",
    find: "      late.resolve(otherwise);",
    replace: "      void otherwise;",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M55",
    wrong: "an address is moved once and not looked at again",
    file: "functions/reconciler/reconciler.ts",
    find: "    this.#looks.set(key, timers);",
    replace: "    for (const timer of timers) timer.cancel();",
    caughtBy: { simSeed: 1 },
  },
  {
    id: "M60",
    wrong: "what a primary noted in its log is forgotten when its agent starts again",
    file: "node-agent/replication/change-keeper.ts",
    find: "      this.record.restore(points, changes);",
    replace: "      this.record.restore(points, changes === null ? changes : NOTHING);",
    caughtBy: { simSeed: 4 },
  },
];
