import { describe, expect, test } from "vitest";
import { countAction, type LoopCounter } from "./actions.ts";
import {
  isServing,
  MODULE_STATES,
  type ModuleState,
  nextState,
  restartCalls,
  rolesOf,
  transitionCalls,
} from "./lifecycle.ts";
import {
  HEALTH_LOOKS,
  HEALTHS,
  type ModuleView,
  moduleHealth,
  type NodeInModule,
} from "./module-health.ts";
import { describeNodeState, STATE_LOOKS, statusOf } from "./node-state.ts";

describe("the way between two states", () => {
  const pairs = MODULE_STATES.flatMap((from) => MODULE_STATES.map((to) => [from, to] as const));

  test.each(pairs)("from %s to %s ends there, through known steps only", (from, to) => {
    let state: ModuleState = from;
    const way: ModuleState[] = [];
    for (let next = nextState(state, to); next !== null; next = nextState(state, to)) {
      transitionCalls(state, next, "start");
      state = next;
      way.push(next);
      expect(way.length).toBeLessThanOrEqual(2);
    }
    expect(state).toBe(to);
  });

  test("every start on the way into STOP is framed by WAIT", () => {
    expect(nextState("STOP", "PRIM")).toBe("WAIT");
    expect(nextState("PRIM", "STOP")).toBe("WAIT");
    expect(nextState("SECOND", "ALONE")).toBe("ALONE");
  });

  test("whatever a state starts, leaving it for WAIT stops", () => {
    for (const state of MODULE_STATES.filter((name) => rolesOf(name).length > 0)) {
      const stopped = transitionCalls(state, "WAIT", "stop").map(({ script }) => script);
      for (const role of rolesOf(state)) expect(stopped).toContain(`stop_${role}`);
    }
  });

  test("nothing restarts where nothing runs", () => {
    expect(restartCalls("STOP")).toEqual([]);
    expect(restartCalls("WAIT")).toEqual([]);
  });

  test("a step that the table does not have is a bug", () => {
    expect(() => transitionCalls("STOP", "PRIM", "start")).toThrow("no module moves");
  });
});

describe("the loop counter", () => {
  const limits = { actionsMax: 3, intervalMs: 86_400_000 };
  const act = (counter: LoopCounter, nowMs: number) =>
    countAction(counter, "restart", "tcp.web is down", limits, nowMs);

  test("the fourth action within the interval stops the module", () => {
    let counter: LoopCounter = null;
    for (const nowMs of [0, 1, 2]) {
      const counted = act(counter, nowMs);
      expect(counted.action).toBe("restart");
      counter = counted.counter;
    }
    const fourth = act(counter, 3);
    expect(fourth).toMatchObject({ action: "stop", isLimitPassed: true });
    expect(fourth.reason).toContain("stop called by maxloop: action 4 in 24 h, 3 allowed");
  });

  test("the end of the interval begins a new count", () => {
    const full: LoopCounter = { sinceMs: 0, count: 3 };
    expect(act(full, limits.intervalMs - 1).action).toBe("stop");
    expect(act(full, limits.intervalMs)).toMatchObject({
      action: "restart",
      counter: { sinceMs: limits.intervalMs, count: 1 },
    });
  });

  test("a command of a person begins a new count, as does a clock that went back", () => {
    expect(act(null, 5).counter).toEqual({ sinceMs: 5, count: 1 });
    expect(act({ sinceMs: 100, count: 3 }, 5).action).toBe("restart");
  });

  test("an interval of 0 turns it off, and a stop is never counted", () => {
    const off = { actionsMax: 0, intervalMs: 0 };
    expect(countAction(null, "restart", "x", off, 1).action).toBe("restart");
    expect(countAction(null, "stop", "x", limits, 1).counter).toBe(null);
  });
});

describe("how a node's state looks", () => {
  const view = {
    state: "SECOND",
    status: "Ready",
    isFenced: false,
    isReachable: true,
    resyncPercent: null,
  } as const;

  test("no two states look alike without colour", () => {
    const looks = Object.values(STATE_LOOKS).map(({ shape, word }) => shape + word);
    expect(new Set(looks).size).toBe(MODULE_STATES.length);
  });

  test("a resync, a fence and silence each have their own word", () => {
    expect(describeNodeState(view)).toMatchObject({ shape: "◐", word: "SECOND" });
    const resync = { ...view, status: "Transient", resyncPercent: 63.9 } as const;
    expect(describeNodeState(resync)).toMatchObject({ shape: "◌", word: "SECOND resyncing 63 %" });
    const fenced = { ...view, state: "PRIM", isFenced: true } as const;
    expect(describeNodeState(fenced)).toMatchObject({ shape: "❄", word: "PRIM fenced" });
    const silent = { ...fenced, isReachable: false };
    expect(describeNodeState(silent)).toMatchObject({ word: "unreachable (last PRIM)" });
    const starting = { ...view, state: "ALONE", status: "Transient" } as const;
    expect(describeNodeState(starting)).toMatchObject({ word: "ALONE starting" });
  });

  test.each([
    ["STOP", true, false, "NotReady"],
    ["WAIT", true, false, "Transient"],
    ["WAIT", false, false, "NotReady"],
    ["WAIT", false, true, "Transient"],
    ["PRIM", true, false, "Transient"],
    ["PRIM", false, false, "Ready"],
    ["SECOND", false, false, "Ready"],
  ] as const)("%s, scripts %s, first results awaited %s: %s", (state, runs, awaits, status) => {
    const facts = { state, runsScripts: runs, awaitsFirstResults: awaits };
    expect(statusOf({ ...facts, isResynchronising: false })).toBe(status);
  });

  test("a SECOND is not Ready before it holds all data", () => {
    const facts = { state: "SECOND", runsScripts: false, awaitsFirstResults: false } as const;
    expect(statusOf({ ...facts, isResynchronising: true })).toBe("Transient");
  });
});

describe("the health of a module", () => {
  const node = (nodeId: string, parts: Partial<NodeInModule>): NodeInModule => ({
    nodeId,
    state: "STOP",
    status: "Ready",
    isFenced: false,
    isReachable: true,
    resyncPercent: null,
    reason: "",
    ...parts,
  });
  const mirror = (
    first: Partial<NodeInModule>,
    second: Partial<NodeInModule>,
    parts: Partial<ModuleView> = {},
  ): ModuleView => ({
    kind: "mirror",
    nodes: [node("node1", first), node("node2", second)],
    inSync: ["node1", "node2"],
    primary: null,
    isWanted: true,
    isTakeoverUnderWay: false,
    ...parts,
  });

  const cases: readonly (readonly [string, ModuleView, string, string])[] = [
    [
      "both roles taken",
      mirror({ state: "PRIM" }, { state: "SECOND" }),
      "Protected",
      "node1 serves",
    ],
    [
      "the secondary lacks writes",
      mirror({ state: "PRIM" }, { state: "SECOND" }, { inSync: ["node1"] }),
      "Unprotected",
      "node2 is SECOND",
    ],
    [
      "the peer waits",
      mirror({ state: "ALONE" }, { state: "WAIT", reason: "its disk is full." }),
      "Unprotected",
      "node1 serves alone: node2 is WAIT (its disk is full).",
    ],
    [
      "the peer is silent",
      mirror({ state: "ALONE" }, { state: "SECOND", isReachable: false }),
      "Unprotected",
      "node2 is unreachable",
    ],
    [
      "the one that has just died still says that it serves",
      mirror({ state: "PRIM" }, { state: "ALONE" }, { primary: "node2" }),
      "Unprotected",
      "node2 serves alone: node1 is PRIM.",
    ],
    [
      "the peer has not reported yet",
      mirror({}, {}, { nodes: [node("node2", { state: "ALONE" })] }),
      "Unprotected",
      "node2 serves alone: the other node has not reported yet.",
    ],
    [
      "data is copied",
      mirror({ state: "ALONE" }, { state: "SECOND", status: "Transient", resyncPercent: 12.5 }),
      "Recovering",
      "node2 is resynchronising (12 %)",
    ],
    [
      "the new primary starts",
      mirror({ state: "ALONE", status: "Transient" }, { state: "STOP" }),
      "Failing over",
      "node1 is starting",
    ],
    [
      "nobody serves yet",
      mirror({ state: "WAIT" }, { state: "STOP" }, { isTakeoverUnderWay: true }),
      "Failing over",
      "takeover",
    ],
    [
      "the primary is fenced",
      mirror({ state: "PRIM", isFenced: true }, { state: "WAIT", isReachable: false }),
      "Down",
      "node1 is fenced",
    ],
    ["nobody serves", mirror({ state: "WAIT" }, { state: "STOP" }), "Down", "No node serves"],
    ["a person stopped it", mirror({}, {}, { isWanted: false }), "Stopped", "A person"],
    [
      "all are silent",
      mirror({ state: "PRIM", isReachable: false }, { isReachable: false }),
      "Unknown",
      "node1 PRIM, node2 STOP",
    ],
    ["nobody reported", mirror({}, {}, { nodes: [] }), "Unknown", "No node"],
    ["a farm with all", farm("UP", "UP"), "Protected", "2 of 2"],
    ["a farm with some", farm("UP", "STOP"), "Unprotected", "node2 is STOP"],
    ["a farm with none", farm("WAIT", "STOP"), "Down", "No node serves"],
  ];

  function farm(first: ModuleState, second: ModuleState): ModuleView {
    return mirror({ state: first }, { state: second }, { kind: "farm", inSync: null });
  }

  test.each(cases)("%s", (_, view, health, why) => {
    const found = moduleHealth(view);
    expect(found.health).toBe(health);
    expect(found.why).toContain(why);
  });

  test("a farm's joining node is a recovery", () => {
    const view = farm("UP", "UP");
    const joining = node("node2", { state: "UP", status: "Transient" });
    const nodes = [...view.nodes.slice(0, 1), joining];
    expect(moduleHealth({ ...view, nodes }).health).toBe("Recovering");
  });

  test("each health has its indicator", () => {
    expect(HEALTHS.map((health) => HEALTH_LOOKS[health].indicator)).not.toContain(undefined);
  });

  test("serving states are the ones that answer clients", () => {
    expect(MODULE_STATES.filter(isServing)).toEqual(["ALONE", "PRIM", "UP"]);
  });
});
