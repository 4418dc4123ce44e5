import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeCommand } from "#model/contract/commands.ts";
import { type CommandTarget, runCommand } from "./commands.ts";
import { ModuleRig } from "./testing/module-rig.ts";

let rig: ModuleRig;
let target: CommandTarget;
let fullWanted = 0;
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
    wantFullResync: () => {
      fullWanted += 1;
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

test("a start that cannot be kept on the disk has failed, whatever runs", async () => {
  rig.store.write = () => {
    throw new Error("EIO: quorum.json");
  };
  const answer = await run("start", { dataFrom: "node1" });
  expect(answer).toMatchObject({ outcome: "failed", text: expect.stringContaining("EIO") });
});

test("what was decided under an epoch that is over is refused", async () => {
  await run("start", { dataFrom: "node1" });
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  expect(await run("stop", { epoch: 0 })).toMatchObject({ outcome: "refused" });
  expect(rig.module.isStartWanted).toBe(true);
});

test("maintenance begins, is durable when it is told done, and ends", async () => {
  const begun = await run("maintenance-on", { forMs: 60_000, operationId: "op1", epoch: 0 });
  expect(begun).toMatchObject({ outcome: "done" });
  expect(begun.text).toMatch(/^in maintenance until .* UTC, by person:ann: no automatic action$/);
  const kept = { id: "op1", forMs: 60_000, by: "person:ann", isOver: false };
  expect(rig.store.read().disk?.maintenance).toMatchObject(kept);
  expect(rig.module.isInMaintenance).toBe(true);
  expect(await run("maintenance-off")).toMatchObject({ outcome: "done" });
  expect(rig.store.read().disk?.maintenance?.isOver).toBe(true);
  expect(await run("maintenance-off")).toMatchObject({ text: "it is not in maintenance" });
});

test("a forced primary names who, why and what this node knows of the loss", async () => {
  await run("start", { dataFrom: "node1" });
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  await run("stop");
  await run("force-primary", { reason: "the other burnt down" });
  const told = rig.told.map(({ text }) => text).find((text) => text.includes("forces"));
  expect(told).toContain("person:ann forces this node to be primary: the other burnt down. ");
  expect(told).toContain("it cannot tell");
  expect(rig.record?.historyId).not.toBe("id1");
});

test("a force without the witness needs that word, and its absence", async () => {
  await run("start", { dataFrom: "node1" });
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  await run("stop");
  rig.isWitnessAway = true;
  const done = await run("force-primary", { withoutWitness: true });
  expect(done).toMatchObject({ outcome: "done" });
  expect(rig.module.disk.forced).toMatchObject({ by: "person:ann" });
});

test("a switchover or a force that changes nothing is refused at once, with the reason", async () => {
  expect(await run("switchover")).toEqual({
    outcome: "refused",
    text: "switchover refused: this node is not primary",
  });
  expect(await run("force-primary", { epoch: 7 })).toEqual({
    outcome: "refused",
    text: "force-primary refused: epoch 0 has begun since you looked: look again",
  });
});

test("what was begun and not seen to end is neither a success nor a failure", async () => {
  rig.isWitnessAway = true;
  const forced = await run("force-primary", { remainingMs: 0 });
  expect(forced).toEqual({
    outcome: "unknown",
    text: `not seen to lead yet: ${rig.module.why}`,
  });
  rig.isWitnessAway = false;
  await rig.comesTo(() => rig.module.service.state === "ALONE");
  expect(await run("stop", { remainingMs: 0 })).toMatchObject({ outcome: "unknown" });
  await rig.comesTo(() => target.isAtRest);
});

test("nothing is restarted or announced where nothing runs", async () => {
  expect(await run("restart")).toMatchObject({ outcome: "refused" });
  expect(await run("announce-address")).toMatchObject({ outcome: "refused" });
  expect(await run("full-resync")).toMatchObject({ outcome: "refused" });
  expect(fullWanted).toBe(0);
});
