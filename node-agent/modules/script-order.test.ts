import { afterEach, describe, expect, test } from "vitest";
import type { ModuleState, ScriptAction } from "#model/states/lifecycle.ts";
import { SCRIPT_NAMES } from "#model/states/lifecycle.ts";
import { ModuleLifeCycle } from "./life-cycle.ts";
import { TestModule } from "./testing/test-module.ts";

/** Every row of the order table, as real scripts recorded it: `name first-arguments`. */
const ROWS: readonly (readonly [ModuleState, ModuleState, ScriptAction, readonly string[]])[] = [
  ["STOP", "WAIT", "start", ["transition", "prestart"]],
  ["WAIT", "ALONE", "start", ["transition", "start_both", "start_prim", "start_sec"]],
  ["WAIT", "UP", "start", ["transition", "start_both", "start_prim", "start_sec"]],
  ["WAIT", "PRIM", "start", ["transition", "start_both", "start_prim"]],
  ["WAIT", "SECOND", "start", ["transition", "start_both", "start_second", "start_sec"]],
  ["ALONE", "PRIM", "start", ["stop_sec", "transition"]],
  ["PRIM", "ALONE", "start", ["transition", "start_sec"]],
  ["SECOND", "ALONE", "start", ["stop_second", "transition", "start_prim"]],
  ["ALONE", "SECOND", "stop", ["stop_prim", "stop_prim force", "transition", "start_second"]],
  [
    "PRIM",
    "SECOND",
    "swap",
    ["stop_prim", "stop_prim force", "transition", "start_second", "start_sec"],
  ],
  ["SECOND", "PRIM", "swap", ["stop_sec", "stop_second", "transition", "start_prim"]],
  ["PRIM", "WAIT", "stop", ["stop_prim", "stop_both", "transition"]],
  ["ALONE", "WAIT", "stopwait", ["stop_sec", "stop_prim", "stop_both", "transition"]],
  ["UP", "WAIT", "stop", ["stop_sec", "stop_prim", "stop_both", "transition"]],
  ["SECOND", "WAIT", "stopstart", ["stop_sec", "stop_second", "stop_both", "transition"]],
  [
    "WAIT",
    "STOP",
    "stop",
    [
      "stop_sec force",
      "stop_prim force",
      "stop_second force",
      "stop_both force",
      "poststop",
      "transition",
    ],
  ],
];

const TWICE = (...names: string[]): string[] => names.flatMap((name) => [name, `${name} force`]);
const RESTARTS: readonly (readonly [ModuleState, readonly string[]])[] = [
  [
    "ALONE",
    [...TWICE("stop_sec", "stop_prim", "stop_both"), "start_both", "start_prim", "start_sec"],
  ],
  ["UP", [...TWICE("stop_sec", "stop_prim", "stop_both"), "start_both", "start_prim", "start_sec"]],
  ["PRIM", [...TWICE("stop_prim", "stop_both"), "start_both", "start_prim"]],
  [
    "SECOND",
    [...TWICE("stop_sec", "stop_second", "stop_both"), "start_both", "start_second", "start_sec"],
  ],
];

let module: TestModule;
afterEach(async () => await module.close());

function lifeCycleIn(state: ModuleState): ModuleLifeCycle {
  module = new TestModule();
  for (const name of SCRIPT_NAMES) module.script(name, `record ${name} "$@"`);
  return new ModuleLifeCycle({
    scripts: module.scripts(),
    initial: { state, to: null },
    hooks: { before: async () => undefined, after: async () => undefined },
    save: () => undefined,
    onChange: () => undefined,
    onScript: () => undefined,
  });
}

describe("scripts run in the order and with the arguments of the table", () => {
  test.each(ROWS)("%s to %s by %s", async (from, to, action, calls) => {
    const lifeCycle = lifeCycleIn(from);
    lifeCycle.setTarget(to, action);
    await lifeCycle.settled();
    expect(module.recorded()).toEqual(calls.map((call) => `${call} ${from} ${to} ${action}`));
    expect(lifeCycle.state).toBe(to);
  });

  test.each(RESTARTS)("restart of %s", async (state, calls) => {
    const lifeCycle = lifeCycleIn(state);
    lifeCycle.restart();
    await lifeCycle.settled();
    expect(module.recorded()).toEqual(calls.map((call) => `${call} ${state} ${state} restart`));
    expect(lifeCycle.state).toBe(state);
  });

  test("a restart of some services names them", async () => {
    const lifeCycle = lifeCycleIn("PRIM");
    lifeCycle.restart("app, web");
    await lifeCycle.settled();
    expect(module.recorded().at(-1)).toBe("start_prim PRIM PRIM restart -Services app, web");
  });

  test("a stop from PRIM passes WAIT and forces everything at the end", async () => {
    const lifeCycle = lifeCycleIn("PRIM");
    lifeCycle.setTarget("STOP", "stop");
    await lifeCycle.settled();
    expect(module.recorded()).toEqual([
      "stop_prim PRIM WAIT stop",
      "stop_both PRIM WAIT stop",
      "transition PRIM WAIT stop",
      "stop_sec force WAIT STOP stop",
      "stop_prim force WAIT STOP stop",
      "stop_second force WAIT STOP stop",
      "stop_both force WAIT STOP stop",
      "poststop WAIT STOP stop",
      "transition WAIT STOP stop",
    ]);
  });
});
