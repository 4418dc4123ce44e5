import { beforeEach, expect, test } from "vitest";
import type { NodeDisk } from "#model/quorum/disk.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { NodeConfig, NodeEffect, NodeEvent } from "#model/quorum/types.ts";
import { QuorumLoop } from "./quorum-loop.ts";

const CONFIG: NodeConfig = {
  ...{ moduleId: "shop", self: "node1", peers: ["node2"], timers: TIMER_PROFILES.default },
  ...{ hasFailover: true, defaultPrimary: { kind: "alone" }, addressMovedBy: "nodes" },
};
const STARTED: NodeEvent = {
  ...{ kind: "started", disk: null, isDiskLost: false, bootId: "boot1", incarnation: "run1" },
  ...{ data: "empty", atBoot: "asBefore", newHistoryId: "history1" },
};
const START: NodeEvent = { kind: "commanded", command: { kind: "start", dataFrom: null } };

let log: string[];
let persist: (disk: NodeDisk) => void;
let run: (effect: Exclude<NodeEffect, { kind: "persist" }>) => void;
let loop: QuorumLoop;
beforeEach(() => {
  log = [];
  persist = () => log.push("persist");
  run = (effect) => log.push(effect.kind);
  loop = new QuorumLoop({
    config: CONFIG,
    nowBootMs: () => 1_000,
    persist: (disk) => persist(disk),
    run: (effect) => run(effect),
    onDecided: () => log.push("decided"),
  });
});

test("nothing is decided before it has started", () => {
  loop.post(START);
  expect(log).toEqual([]);
  loop.post(STARTED);
  expect(log).toContain("persist");
  expect(log.at(-1)).toBe("decided");
});

test("an event that an effect posts is decided about after all effects of its list", () => {
  run = (effect) => {
    log.push(effect.kind);
    if (effect.kind === "setTarget" && log.length < 20) loop.post({ kind: "serviceStopped" });
  };
  loop.post(STARTED);
  const first = log.indexOf("decided");
  expect(log.indexOf("setTarget")).toBeLessThan(first);
  expect(log.filter((what) => what === "decided")).toHaveLength(2);
});

test("what could not be written is neither acted on nor shown as known", () => {
  loop.post(STARTED);
  const before = loop.disk;
  persist = () => {
    throw new Error("no space left");
  };
  log = [];
  loop.post(START);
  expect(loop.disk).toBe(before);
  expect(loop.disk.isStartWanted).toBe(false);
  // The first decision ends at its write; the second is about the failure.
  expect(log[0]).toBe("decided");
  expect(log).toContain("report");
});

test("after a bug in an effect nothing goes on, whoever caught it", () => {
  run = () => {
    throw new Error("a bug");
  };
  expect(() => loop.post(STARTED)).toThrow("a bug");
  run = () => undefined;
  expect(() => loop.post({ kind: "ticked" })).toThrow("a bug");
});

test("a closed loop decides nothing", () => {
  loop.post(STARTED);
  loop.close();
  log = [];
  loop.post(START);
  expect(log).toEqual([]);
});
