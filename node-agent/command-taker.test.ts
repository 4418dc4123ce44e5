import { afterEach, beforeEach, expect, test } from "vitest";
import type { CommandResult, NodeCommand } from "#model/contract/commands.ts";
import { err, ok } from "#model/shared/result.ts";
import { CommandTaker } from "./command-taker.ts";
import type { CommandTarget } from "./mirror/commands.ts";
import { ModuleRig } from "./mirror/testing/module-rig.ts";

const stopping = { current: new AbortController() };
let rig: ModuleRig;
let isHere = true;
/** What each poll hands out; after the last one the control plane has nothing more to say. */
let polls: (readonly NodeCommand[] | null)[] = [];
let known: (readonly string[])[] = [];
let told: CommandResult[] = [];
let isHeard = true;
let looks = 0;
let stops = 0;
let following: Promise<void>;

beforeEach(async () => {
  stopping.current = new AbortController();
  [isHere, polls, known, told, isHeard, looks, stops] = [true, [], [], [], true, 0, 0];
  rig = new ModuleRig();
  await rig.module.start("asBefore");
});
afterEach(async () => {
  stopping.current.abort();
  await following;
  await rig.close();
});

const command = (id: string, more: Partial<NodeCommand> = {}): NodeCommand => ({
  ...{ id, operationId: id, moduleId: "shop", kind: "stop", actor: "person:ann" },
  ...{ remainingMs: 10_000, ...more },
});

function target(): CommandTarget {
  return {
    module: rig.module,
    started: Promise.resolve(true),
    until: async (isTrue) => {
      stops += 1;
      return isTrue();
    },
    wantFullResync: () => undefined,
    isAtRest: true,
  };
}

function follow(): void {
  const { signal } = stopping.current;
  const taker = new CommandTaker({
    client: {
      commands: async (ids) => {
        known.push(ids);
        const next = polls.shift();
        if (next === null) return err({ kind: "unknown", detail: "nobody there" });
        // A poll that has nothing to say takes its time; here, one turn of the loop.
        await new Promise((resolve) => setImmediate(resolve));
        return ok({ commands: [...(next ?? [])] });
      },
      acknowledge: async (results) => {
        told.push(...results);
        return isHeard
          ? ok({ taken: 1, ignored: 0 })
          : err({ kind: "unknown", detail: "nobody there" });
      },
    },
    signal,
    find: () => {
      looks += 1;
      return isHere ? target() : null;
    },
    spread: (durationMs) => durationMs,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
    watch: { unanswered: () => undefined },
    log: () => undefined,
  });
  following = taker.follow();
}

test("a command that is handed out again and again is carried out once, and known meanwhile", async () => {
  polls = [[command("a")], [command("a")], null, [command("a"), command("b")]];
  follow();
  await expect.poll(() => told.length).toBe(2);
  await expect.poll(() => polls.length).toBe(0);
  expect(told.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(["a done", "b done"]);
  expect(stops).toBe(2);
  // The control plane need not hand out again what is in hand here.
  await expect.poll(() => known.at(-1)).toEqual(["a", "b"]);
});

test("what became of a command is told until that has arrived", async () => {
  isHeard = false;
  polls = [[command("a")]];
  follow();
  await expect.poll(() => told.length).toBeGreaterThan(2);
  isHeard = true;
  const [polled, before] = [known.length, told.length];
  await expect.poll(() => known.length).toBeGreaterThan(polled + 20);
  // One may have been on its way.
  expect(told.length).toBeLessThanOrEqual(before + 1);
  expect(new Set(told.map(({ outcome }) => outcome))).toEqual(new Set(["done"]));
});

test("a command waits for a module that is on its way", async () => {
  isHere = false;
  polls = [[command("a")]];
  follow();
  await expect.poll(() => looks).toBeGreaterThan(3);
  expect(told).toEqual([]);
  isHere = true;
  await expect.poll(() => told).toMatchObject([{ id: "a", outcome: "done" }]);
});

test("a command for a module that never comes is refused when its time is over", async () => {
  isHere = false;
  polls = [[command("a", { remainingMs: 20 })]];
  follow();
  await expect.poll(() => told).toMatchObject([{ id: "a", outcome: "refused" }]);
});

test("a command that breaks is told as failed, and the next one is taken", async () => {
  const broken = command("a", { remainingMs: Number.NaN });
  rig.module.command = () => {
    throw new Error("broken on purpose");
  };
  polls = [[broken]];
  follow();
  await expect
    .poll(() => told)
    .toMatchObject([{ id: "a", outcome: "failed", text: "broken on purpose" }]);
  polls.push([command("b", { moduleId: "other" })]);
  await expect.poll(() => told.map(({ id }) => id)).toEqual(["a", "b"]);
});
