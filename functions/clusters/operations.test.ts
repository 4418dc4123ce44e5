import { describe, expect, test } from "vitest";
import type { CommandResult, Operation } from "#model/contract/commands.ts";
import { systemRandom, systemTimers } from "../local/adapters.ts";
import {
  memoryBlobStore,
  memoryEventLog,
  memoryRecordStore,
} from "../stores/memory/memory-store.ts";
import { type ControlPlane, openControlPlane } from "./control-plane.ts";
import {
  createOperation,
  OPERATION_MS,
  operationId,
  type Plan,
  pendingCommands,
  STEP_START_MS,
  sweepOperations,
  takeResult,
} from "./operations.ts";

function open(): { cp: ControlPlane; clock: { now: number } } {
  const clock = { now: 1_800_000_000_000, nowMs: () => clock.now };
  const cp = openControlPlane({
    clock,
    timers: systemTimers,
    random: systemRandom,
    records: memoryRecordStore("store-1"),
    log: memoryEventLog(1000),
    blobs: memoryBlobStore(),
    logger: { log: () => {} },
  });
  return { cp, clock };
}

const STOP: Plan = {
  moduleId: "shop",
  kind: "stop",
  actor: "person:ann",
  phases: [["node2"], ["node1"]],
};
async function stop(cp: ControlPlane, id = "op_1", asked = "a"): Promise<Operation> {
  const made = await createOperation(cp, "prod", id, asked, STOP);
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}
const ids = async (cp: ControlPlane, node: string) =>
  (await pendingCommands(cp, "prod", node)).map((command) => command.id);
const done = (id: string, outcome: CommandResult["outcome"] = "done"): CommandResult => ({
  id,
  outcome,
  text: "so it was",
});
const state = async (cp: ControlPlane, id = "op_1") =>
  (await cp.operations.read("prod", id))?.value.operation.state;

describe("an operation", () => {
  test("gives a phase its turn only when the one before is done", async () => {
    const { cp } = open();
    await stop(cp);
    expect(await ids(cp, "node2")).toEqual(["op_1.0.0"]);
    expect(await ids(cp, "node1")).toEqual([]);
    expect(await takeResult(cp, "prod", "node2", done("op_1.0.0", "running"))).toBe(true);
    expect(await ids(cp, "node1")).toEqual([]);
    await takeResult(cp, "prod", "node2", done("op_1.0.0"));
    expect(await ids(cp, "node1")).toEqual(["op_1.1.0"]);
    await takeResult(cp, "prod", "node1", done("op_1.1.0"));
    expect(await state(cp)).toBe("done");
    const told = await cp.events.after("prod", 0, 10);
    expect(told.filter((event) => event.kind === "commandFinished")).toHaveLength(1);
  });

  test("fails with its first step, and hands out no further one", async () => {
    const { cp } = open();
    await stop(cp);
    await takeResult(cp, "prod", "node2", done("op_1.0.0", "refused"));
    expect(await state(cp)).toBe("failed");
    expect(await ids(cp, "node1")).toEqual([]);
    expect(await takeResult(cp, "prod", "node2", done("op_1.0.0"))).toBe(false);
  });

  test("takes a result only from the node whose step it is", async () => {
    const { cp } = open();
    await stop(cp);
    expect(await takeResult(cp, "prod", "node1", done("op_1.0.0"))).toBe(false);
    expect(await takeResult(cp, "prod", "node2", done("op_1.9.0"))).toBe(false);
    expect(await takeResult(cp, "prod", "node2", done("op_2.0.0"))).toBe(false);
    expect(await state(cp)).toBe("running");
  });

  test("that nobody began in time expires and is never handed out late", async () => {
    const { cp, clock } = open();
    await stop(cp);
    clock.now += STEP_START_MS - 1;
    expect(await ids(cp, "node2")).toHaveLength(1);
    clock.now += 1;
    expect(await ids(cp, "node2")).toEqual([]);
    await sweepOperations(cp, "prod");
    expect(await state(cp)).toBe("unknown");
    expect(await ids(cp, "node1")).toEqual([]);
  });

  test("is not known to be done or not when a node does not say; a late word is heard", async () => {
    const { cp, clock } = open();
    await stop(cp);
    clock.now += STEP_START_MS;
    await sweepOperations(cp, "prod");
    const text = (await cp.operations.read("prod", "op_1"))?.value.operation.text;
    expect(text).toBe("stop shop: it is not known whether that was done: node2 did not answer");
    await takeResult(cp, "prod", "node2", done("op_1.0.0"));
    // The rest of it is not begun behind people's backs.
    expect(await state(cp)).toBe("unknown");
    expect(await ids(cp, "node1")).toEqual([]);
  });

  test("is done after all when its last node says so late", async () => {
    const { cp } = open();
    await stop(cp);
    await takeResult(cp, "prod", "node2", done("op_1.0.0"));
    await takeResult(cp, "prod", "node1", done("op_1.1.0", "unknown"));
    expect(await state(cp)).toBe("unknown");
    await takeResult(cp, "prod", "node1", done("op_1.1.0"));
    expect(await state(cp)).toBe("done");
    expect(await takeResult(cp, "prod", "node1", done("op_1.1.0", "failed"))).toBe(false);
  });

  test("counts a phase's time from when it could begin", async () => {
    const { cp, clock } = open();
    await stop(cp);
    await takeResult(cp, "prod", "node2", done("op_1.0.0", "running"));
    clock.now += STEP_START_MS * 3;
    await takeResult(cp, "prod", "node2", done("op_1.0.0"));
    const [next] = await pendingCommands(cp, "prod", "node1");
    expect(next?.remainingMs).toBe(STEP_START_MS);
  });

  test("about a maintenance is done when one node was told: that one tells the other", async () => {
    const { cp, clock } = open();
    const plan: Plan = { ...STOP, kind: "maintenance-on", phases: [["node1", "node2"]] };
    await createOperation(cp, "prod", "op_1", "a", plan);
    await takeResult(cp, "prod", "node1", done("op_1.0.0"));
    clock.now += STEP_START_MS;
    await sweepOperations(cp, "prod");
    expect(await state(cp)).toBe("done");
    const text = (await cp.operations.read("prod", "op_1"))?.value.operation.text;
    expect(text).toContain("node2 did not answer: the other node tells it");
  });

  test("about a maintenance is not known where no node said that it heard of it", async () => {
    const { cp, clock } = open();
    const plan: Plan = { ...STOP, kind: "maintenance-on", phases: [["node1", "node2"]] };
    await createOperation(cp, "prod", "op_1", "a", plan);
    clock.now += STEP_START_MS;
    await sweepOperations(cp, "prod");
    expect(await state(cp)).toBe("unknown");
  });

  test("that runs for ever is given up at its deadline, and nobody knows how it ends", async () => {
    const { cp, clock } = open();
    await stop(cp);
    await takeResult(cp, "prod", "node2", done("op_1.0.0", "running"));
    clock.now += OPERATION_MS;
    await sweepOperations(cp, "prod");
    expect(await state(cp)).toBe("unknown");
  });

  test("asked twice with one key is one operation; other words under it are a conflict", async () => {
    const { cp } = open();
    const id = operationId("prod", "person:ann", "key-1");
    expect(operationId("prod", "person:bob", "key-1")).not.toBe(id);
    const first = await stop(cp, id);
    expect(await stop(cp, id)).toEqual(first);
    const other = await createOperation(cp, "prod", id, "b", STOP);
    expect(other.ok ? "" : other.error.code).toBe("conflict");
    expect(await cp.operations.list("prod")).toHaveLength(1);
  });
});
