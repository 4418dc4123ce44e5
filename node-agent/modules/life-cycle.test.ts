import { afterEach, beforeEach, expect, test } from "vitest";
import type { ModuleState } from "#model/states/lifecycle.ts";
import {
  type LifeCycleRecord,
  type LifeCycleView,
  ModuleLifeCycle,
  type ScriptEvent,
} from "./life-cycle.ts";
import { TestModule, until } from "./testing/test-module.ts";

let module: TestModule;
let views: LifeCycleView[];
let events: ScriptEvent[];
let records: LifeCycleRecord[];
beforeEach(() => {
  module = new TestModule();
  [views, events, records] = [[], [], []];
});
afterEach(async () => await module.close());

function lifeCycleIn(initial: LifeCycleRecord): ModuleLifeCycle {
  return new ModuleLifeCycle({
    scripts: module.scripts(),
    initial,
    hooks: { before: async () => undefined, after: async () => undefined },
    save: (record) => records.push(record),
    onChange: (view) => views.push(view),
    onScript: (event) => events.push(event),
  });
}

const names = (): readonly string[] => module.recorded().map((line) => line.split(" ")[0] ?? "");
const settledIn = (state: ModuleState): LifeCycleRecord => ({ state, to: null });

test("a stop asked for during a start ends the start and stops what it began", async () => {
  module.script("start_both", "record start_both; touch $SAFEUSERVAR/began; sleep 0.2");
  module.script("start_prim", "record start_prim");
  module.script("stop_prim", 'record stop_prim "$1"');
  module.script("stop_both", 'record stop_both "$1"');
  const lifeCycle = lifeCycleIn(settledIn("WAIT"));
  lifeCycle.setTarget("PRIM", "start");
  await until(() => module.read("var/began") === "" && names().includes("start_both"));
  lifeCycle.setTarget("STOP", "stop");
  await lifeCycle.settled();
  expect(lifeCycle.state).toBe("STOP");
  expect(module.recorded()).toEqual([
    "start_both",
    "stop_prim PRIM",
    "stop_both PRIM",
    "stop_prim force",
    "stop_both force",
  ]);
});

test("a new role during a start lets the start finish first", async () => {
  module.script("start_both", "record start_both; sleep 0.1");
  module.script("start_prim", "record start_prim");
  module.script("start_sec", "record start_sec");
  module.script("stop_sec", "record stop_sec");
  const lifeCycle = lifeCycleIn(settledIn("WAIT"));
  lifeCycle.setTarget("ALONE", "start");
  await until(() => names().includes("start_both"));
  lifeCycle.setTarget("PRIM", "start");
  await lifeCycle.settled();
  expect(names()).toEqual(["start_both", "start_prim", "start_sec", "stop_sec"]);
  expect(lifeCycle.state).toBe("PRIM");
});

test("a start asked for during a stop follows the whole stop", async () => {
  module.script("stop_prim", "record stop_prim; sleep 0.1");
  module.script("stop_both", "record stop_both");
  module.script("start_prim", "record start_prim");
  const lifeCycle = lifeCycleIn(settledIn("PRIM"));
  lifeCycle.setTarget("STOP", "stop");
  await until(() => names().includes("stop_prim"));
  lifeCycle.setTarget("PRIM", "start");
  await lifeCycle.settled();
  expect(names()).toEqual(["stop_prim", "stop_both", "start_prim"]);
  expect(lifeCycle.state).toBe("PRIM");
});

test("is Transient in the state being entered, and a stop is shown as WAIT until its end", async () => {
  module.script("start_prim", "record start_prim");
  module.script("poststop", "record poststop");
  const lifeCycle = lifeCycleIn(settledIn("WAIT"));
  lifeCycle.setTarget("PRIM", "start");
  await lifeCycle.settled();
  expect(views.find((view) => view.script === "start_prim")).toMatchObject({
    state: "PRIM",
    runsScripts: true,
  });
  expect(views.at(-1)).toMatchObject({ state: "PRIM", runsScripts: false });
  lifeCycle.setTarget("STOP", "stop");
  await lifeCycle.settled();
  expect(views.find((view) => view.script === "poststop")).toMatchObject({ state: "WAIT" });
  expect(views.at(-1)).toMatchObject({ state: "STOP", runsScripts: false });
});

test("a failing script is told and changes no state", async () => {
  module.script("start_prim", "record start_prim; exit 3");
  const lifeCycle = lifeCycleIn(settledIn("WAIT"));
  lifeCycle.setTarget("PRIM", "start");
  await lifeCycle.settled();
  expect(lifeCycle.state).toBe("PRIM");
  expect(events.at(-1)).toMatchObject({ kind: "scriptEnded", outcome: { code: 3 } });
});

test("a killed module starts nothing of what was still to come", async () => {
  module.script("start_both", "record start_both; exec sleep 60");
  module.script("start_prim", "record start_prim");
  module.script("stop_both", 'record stop_both "$1"');
  const lifeCycle = lifeCycleIn(settledIn("WAIT"));
  lifeCycle.setTarget("PRIM", "start");
  await until(() => names().includes("start_both"));
  const outcome = await lifeCycle.killedBy("WAIT", () => module.containment.kill(5_000));
  await lifeCycle.settled();
  expect(outcome.isComplete).toBe(true);
  expect(lifeCycle.state).toBe("WAIT");
  expect(names()).toEqual(["start_both", "stop_both"]);
});

test("what an agent left in the middle of a move is taken for the state being entered", async () => {
  module.script("stop_prim", "record stop_prim");
  const lifeCycle = lifeCycleIn({ state: "WAIT", to: "PRIM" });
  expect(lifeCycle.state).toBe("PRIM");
  lifeCycle.setTarget("WAIT", "stopwait");
  await lifeCycle.settled();
  expect(names()).toEqual(["stop_prim"]);
  expect(records).toEqual([
    { state: "PRIM", to: "WAIT" },
    { state: "WAIT", to: null },
  ]);
});
