import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeCommand } from "#model/contract/commands.ts";
import { type CommandTarget, runCommand } from "./commands.ts";
import { ModuleRig } from "./testing/module-rig.ts";

let rig: ModuleRig;
let target: CommandTarget;
beforeEach(async () => {
  rig = new ModuleRig();
  await rig.module.start("asBefore");
  target = {
    module: rig.module,
    started: Promise.resolve(true),
    until: async (isTrue, limitMs) => {
      if (limitMs === 0) return isTrue();
      await rig.comesTo(isTrue);
      return true;
    },
    get isAtRest() {
      return rig.module.service.state === "STOP" && rig.module.data.isClosed;
    },
  };
});
afterEach(() => rig.close());

const run = (kind: NodeCommand["kind"], more: Partial<NodeCommand> = {}) =>
  runCommand(
    {
      ...{ id: "1", operationId: "1", moduleId: "shop", kind },
      ...{ remainingMs: 1_000, actor: "person:ann", ...more },
    },
    target,
  );

test("a module that is not here, or could not be opened, does nothing", async () => {
  const command = { id: "1", operationId: "1", moduleId: "shop", kind: "start" } as const;
  const asked = { ...command, remainingMs: 1, actor: "local" };
  expect(await runCommand(asked, null)).toMatchObject({ outcome: "refused" });
  const failed = { ...target, started: Promise.resolve(false) };
  expect(await runCommand(asked, failed)).toMatchObject({ outcome: "failed" });
});

test("start names the good copy; stop ends when nothing is mounted any more", async () => {
  expect(await run("start", { dataFrom: "node1" })).toMatchObject({ outcome: "done" });
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  expect(await run("stop")).toEqual({ outcome: "done", text: "stopped" });
  expect(rig.calls.at(-1)).toBe("e1 is closed");
});

test("what was decided under an epoch that is over is refused", async () => {
  await run("start", { dataFrom: "node1" });
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  expect(await run("stop", { epoch: 0 })).toMatchObject({ outcome: "refused" });
  expect(rig.module.isStartWanted).toBe(true);
});

test("what is not reached in time is told with the reason why", async () => {
  const done = await run("switchover", { remainingMs: 0 });
  expect(done).toEqual({
    outcome: "failed",
    text: `not switched over: ${rig.module.why}`,
  });
});

test("nothing is restarted or announced where nothing runs", async () => {
  expect(await run("restart")).toMatchObject({ outcome: "refused" });
  expect(await run("announce-address")).toMatchObject({ outcome: "refused" });
  expect(await run("full-resync")).toMatchObject({ outcome: "refused" });
});
