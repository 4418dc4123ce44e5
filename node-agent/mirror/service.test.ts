import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ProcConfig } from "#model/module/config.ts";
import { readProcess, signal } from "../modules/process-table.ts";
import { moduleConfig } from "../modules/testing/test-config.ts";
import { TestModule, until } from "../modules/testing/test-module.ts";
import { Service, type ServiceEvent } from "./service.ts";
import { machineParts } from "./service-parts.ts";

/** The parts of this folder as the agent joins them, with a real application. */
let module: TestModule;
let service: Service | null;
let events: ServiceEvent[];
let isInMaintenance = false;
beforeEach(() => {
  module = new TestModule();
  [service, events, isInMaintenance] = [null, [], false];
});
afterEach(async () => {
  service?.close();
  await module.close();
});

/** Unique to this run, as the watch looks at the whole machine. */
const seconds = `91${process.pid}`;
const PROC: ProcConfig = {
  name: "sleep",
  isService: false,
  nameRegex: null,
  argRegex: `^sleep ${seconds}$`,
  atLeast: 1,
  atMost: -1,
  class: "prim",
  action: { kind: "restart" },
  restartServices: null,
  startAfter: 0,
};

function open(action: ProcConfig["action"]): Service {
  service = new Service({
    parts: machineParts({
      moduleId: "shop",
      nodeId: "node1",
      config: moduleConfig({ errd: { pollMs: 20, procs: [{ ...PROC, action }] } }),
      directories: module.directories,
      containment: module.containment,
      mountPoints: [],
      sparedProcessIds: () => [],
      nowUnixMs: () => performance.now(),
    }),
    beforeServing: async () => true,
    isInMaintenance: () => isInMaintenance,
    save: () => undefined,
    onEvent: (event) => events.push(event),
  });
  return service;
}

const applications = (): readonly number[] =>
  module.containment.processIds().filter((id) => readProcess(id)?.command === "sleep");
const isUp = (): boolean => service?.checks.facts()[0]?.value === "up";
const reasons = (kind: ServiceEvent["kind"]): readonly string[] =>
  events.flatMap((event) => (event.kind === kind && "reason" in event ? [event.reason] : []));

async function startApplication(started: Service): Promise<number> {
  // Waits for the exec, so that the first look cannot come between it and the fork.
  const isExecuted = 'until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done';
  module.script("start_prim", `record start_prim; setsid sleep ${seconds} & ${isExecuted}`);
  started.setTarget("PRIM", "start");
  await until(isUp);
  return applications()[0] ?? -1;
}

test("an application that dies is restarted in place", async () => {
  const started = open({ kind: "restart" });
  const first = await startApplication(started);
  signal(first, "SIGKILL");
  await until(() => ![first, undefined].includes(applications()[0]));
  await until(isUp);
  expect(started.view).toMatchObject({ state: "PRIM", runsScripts: false });
  expect(reasons("acted")).toEqual([
    expect.stringContaining("restart (1 of 3): rule proc_sleep (proc.sleep)"),
  ]);
});

test("one that dies at every start leads to a stop at the fourth time", async () => {
  module.script("start_prim", "record start_prim");
  open({ kind: "restart" }).setTarget("PRIM", "start");
  await until(() => reasons("asked").length > 0);
  expect(reasons("asked")).toEqual([expect.stringContaining("stop called by maxloop")]);
  expect(module.recorded()).toHaveLength(4);
});

test("in maintenance a dead application is told of once, and restarted when it is over", async () => {
  const started = open({ kind: "restart" });
  isInMaintenance = true;
  signal(await startApplication(started), "SIGKILL");
  await until(() => reasons("heldBack").length > 0);
  // Ten polls pass in this time.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(reasons("heldBack")).toEqual([expect.stringContaining("restart (1 of 3)")]);
  expect([applications(), reasons("acted")]).toEqual([[], []]);
  isInMaintenance = false;
  await until(isUp);
  expect(reasons("acted")).toEqual([expect.stringContaining("restart (1 of 3)")]);
});

test("a restart that takes longer than a poll is not judged before it is over", async () => {
  const started = open({ kind: "restart" });
  signal(await startApplication(started), "SIGKILL");
  const wait = 'until [ -e "$SAFEUSERVAR/go" ]; do sleep 0.01; done';
  module.script("start_prim", `record again; ${wait}; setsid sleep ${seconds} & :`);
  await until(() => module.recorded().includes("again"));
  // Five polls would pass in this time, if any were made.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(started.checks.facts()).toEqual([]);
  writeFileSync(join(module.logs, "go"), "");
  await until(isUp);
  expect(reasons("acted").length).toBeLessThanOrEqual(2);
});

test("a handler of the module is asked first, and its failure is not hidden", async () => {
  module.script("start_prim", "record start_prim");
  module.script("mend", "record mend; exit 1");
  open({ kind: "handler", executable: "mend" }).setTarget("PRIM", "start");
  await until(() => reasons("asked").length > 0);
  expect(events).toContainEqual(expect.objectContaining({ kind: "asked", action: "stopstart" }));
  expect(module.recorded().slice(0, 2)).toEqual(["start_prim", "mend"]);
});

test("a fenced module goes on where it stopped when it is thawed", async () => {
  const started = open({ kind: "restart" });
  const application = await startApplication(started);
  await started.freeze();
  await started.thaw();
  expect(applications()).toEqual([application]);
  expect(module.recorded()).toEqual(["start_prim"]);
});

test("a thaw that comes while the freeze is under way leaves nothing stopped", async () => {
  const started = open({ kind: "restart" });
  const application = await startApplication(started);
  for (let round = 0; round < 3; round += 1) {
    const freezing = started.freeze();
    await started.thaw();
    await freezing;
  }
  await until(() => !["T", "t"].includes(readProcess(application)?.state ?? "T"));
  expect(applications()).toEqual([application]);
});

test("one that lost its role is killed while frozen, and nothing starts again", async () => {
  const started = open({ kind: "restart" });
  await startApplication(started);
  module.script("stop_prim", 'record stop_prim "$1"');
  await started.freeze();
  await started.kill("WAIT");
  await until(() => started.state === "WAIT" && !started.view.runsScripts);
  expect(applications()).toEqual([]);
  expect(module.recorded()).toEqual(["start_prim", "stop_prim PRIM"]);
});
