import { describe, expect, test } from "vitest";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { NOW_MS, type Scenario, snapshotOf } from "../fake-api/scenarios.ts";
import { type ActionAsk, commandLine, planAction, requestOf } from "./action-plan.ts";
import { operationItems } from "./operation-items.ts";

const moduleOf = (scenario: Scenario): ModuleView => {
  const [module] = snapshotOf(scenario).modules;
  if (module === undefined) throw new Error(`${scenario} has no module`);
  return module;
};
const ask = (kind: ActionAsk["kind"], node: string | null = null): ActionAsk => ({
  moduleId: "shop",
  kind,
  node,
});
const plan = (scenario: Scenario, asked: ActionAsk) =>
  planAction(asked, { module: moduleOf(scenario), operations: [], nowMs: NOW_MS });

describe("what is asked before it is done", () => {
  test.each([
    ["normal", ask("switchover"), "consequences", null],
    ["normal", ask("start"), "none", "It is started already."],
    ["normal", ask("stop", "node2"), "simple", null],
    ["normal", ask("stop", "node1"), "consequences", null],
    ["normal", ask("stop"), "consequences", null],
    ["normal", ask("restart"), "simple", null],
    ["normal", ask("switchover", "node1"), "simple", "node1 serves already."],
    ["unprotected", ask("start", "node2"), "none", null],
    ["unprotected", ask("switchover"), "consequences", "Not now: node2 is not SECOND."],
    ["recovering", ask("switchover"), "consequences", "Not now: node2 is not in the in-sync set."],
    ["stopped", ask("stop"), "simple", "It is stopped already."],
    ["stopped", ask("restart"), "simple", "Nothing of it runs there."],
    ["stopped", ask("start"), "none", null],
    ["first-start", ask("start"), "choice", null],
    ["down", ask("switchover"), "simple", "No node serves: there is nothing to switch from."],
    ["down", ask("force-primary", "node2"), "typed", null],
    ["normal", ask("force-primary", "node2"), "typed", "node1 serves: switch over instead."],
    ["normal", ask("maintenance-on"), "duration", null],
    ["maintenance", ask("maintenance-on"), "duration", null],
    ["normal", ask("maintenance-off"), "simple", "It is not in maintenance."],
    ["maintenance", ask("maintenance-off"), "simple", null],
  ] as const)("%s, %o: %s, %s", (scenario, asked, level, blocked) => {
    expect(plan(scenario, asked)).toMatchObject({ level, blocked });
  });

  test("a switchover shows what it rests on", () => {
    expect(plan("normal", ask("switchover")).checks).toEqual([
      { text: "node2 is SECOND", isMet: true },
      { text: "node2 holds every acknowledged write (lag 3 ms)", isMet: true },
      { text: "no resynchronisation runs", isMet: true },
    ]);
  });

  test("a forced primary says what may be lost, in numbers where they are known", () => {
    const known = plan("down", ask("force-primary", "node2"));
    const loss = known.loss.join(" ");
    expect(loss).toContain("node2 may lack what was acknowledged after 2026-11-23 11:57:00 UTC");
    expect(loss).toContain("Up to 3 min of writes may be lost.");
    expect(loss).toContain("At least 214 changes, 3.0 MiB, came after.");
    expect(known.sentences.join(" ")).toContain("node1 last reported 42 s ago as PRIM");
    // Who is in the set lacks nothing, and is not frightened.
    expect(plan("down", ask("force-primary", "node1")).loss.join(" ")).toContain("lacks nothing");
    expect(plan("first-start", ask("force-primary", "node1")).loss.join(" ")).toContain(
      "nobody can tell",
    );
  });

  test("a maintenance is sent with its time, and says what it means", () => {
    const asked = ask("maintenance-on");
    expect(plan("maintenance", asked).sentences.join(" ")).toContain("this replaces that");
    const stopped = plan("maintenance", ask("stop", "node1")).sentences.join(" ");
    expect(stopped).toContain("In maintenance nobody takes over: switch over first.");
    expect(requestOf(asked, 41, null, 7_200_000)).toEqual({
      kind: "maintenance-on",
      forMs: 7_200_000,
    });
    expect(commandLine(asked, null, 7_200_000)).toBe(
      "mirrorfarm module maintenance on shop --for 2h",
    );
    expect(requestOf(ask("maintenance-off"), 41, null)).toEqual({ kind: "maintenance-off" });
  });

  test("what is under way already is not asked for twice; anything else still can be", () => {
    const running = { state: "running", kind: "switchover", moduleId: "shop", node: "node2" };
    const facts = { module: moduleOf("normal"), operations: [running], nowMs: NOW_MS };
    const blocked = (asked: ActionAsk) => planAction(asked, facts as never).blocked;
    expect(blocked(ask("switchover"))).toBe("This is under way already.");
    expect(blocked(ask("stop"))).toBe(null);
  });

  test("is sent with the epoch that was seen, and the typed name where it is needed", () => {
    expect(requestOf(ask("switchover"), 41, null)).toEqual({ kind: "switchover", seenEpoch: 41 });
    expect(requestOf(ask("start"), null, "node1")).toEqual({ kind: "start", dataFrom: "node1" });
    expect(requestOf(ask("force-primary", "node2"), 41, null)).toEqual({
      kind: "force-primary",
      node: "node2",
      seenEpoch: 41,
      confirm: "shop",
    });
  });

  test.each([
    [ask("start"), "node1", "mirrorfarm module start shop --data-from node1"],
    [ask("stop", "node2"), null, "mirrorfarm module stop shop --node node2"],
    [ask("switchover", "node2"), null, "mirrorfarm module switch shop --to node2"],
    [ask("force-primary", "node2"), null, "mirrorfarm module force-primary shop --to node2"],
    [ask("maintenance-off"), null, "mirrorfarm module maintenance off shop"],
  ] as const)("%o is also a command", (asked, dataFrom, line) => {
    expect(commandLine(asked, dataFrom)).toBe(line);
  });
});

describe("the flash bar", () => {
  const operation = {
    id: "op1",
    moduleId: "shop",
    kind: "switchover",
    state: "running",
    text: "",
    actor: "person:ann",
    createdAtMs: NOW_MS,
    deadlineMs: NOW_MS,
    finishedAtMs: null,
    steps: [],
  } as const;
  const items = (parts: object, dismissed: string[] = []) =>
    operationItems([{ ...operation, ...parts }], new Set(dismissed), NOW_MS + 60_000);

  test("shows what runs, with the step it is at", () => {
    const step = { id: "s", nodeId: "node1", phase: 0, kind: "switchover" };
    const steps = [{ ...step, state: "running", text: "stop_prim", updatedAtMs: NOW_MS }];
    expect(items({ steps })).toMatchObject([
      { type: "in-progress", header: "Switching over shop", content: "node1 running: stop_prim" },
    ]);
  });

  test("lets a success go, and keeps a failure until it is put away", () => {
    expect(items({ state: "done", finishedAtMs: NOW_MS })).toEqual([]);
    expect(items({ state: "done", finishedAtMs: NOW_MS + 50_000 })).toHaveLength(1);
    const failed = { state: "failed", finishedAtMs: NOW_MS, text: "node2 said no" };
    expect(items(failed)).toMatchObject([{ type: "error", content: "node2 said no" }]);
    expect(items(failed, ["op1"])).toEqual([]);
    const unknown = { state: "unknown", finishedAtMs: NOW_MS, text: "node2 did not say" };
    expect(items(unknown)).toMatchObject([{ type: "warning", content: "node2 did not say" }]);
  });

  test("leaves out what no person asked for", () => {
    expect(items({ kind: "announce-address" })).toEqual([]);
  });
});
