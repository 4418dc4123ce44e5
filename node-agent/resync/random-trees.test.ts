import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { DirtySet } from "#model/replication/dirty-set.ts";
import type { RecordChannel } from "./resync.ts";
import { Pair } from "./testing/pair.ts";
import { RandomWriter } from "./testing/random-writer.ts";

const pair = new Pair({ inMemory: true });
afterAll(() => pair.close());

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe("a resync of random trees", () => {
  test("makes any target equal to any source, and a second run changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, seeds, async (sourceSeed, targetSeed) => {
        pair.empty();
        for (const [path, seed] of [
          [pair.source, sourceSeed],
          [pair.target, targetSeed],
        ] as const) {
          const writer = new RandomWriter(path, seed);
          writer.steps(60);
          writer.close();
        }
        expect(await pair.run()).toMatchObject({ source: { ok: true }, target: { ok: true } });
        expect(pair.differences()).toEqual([]);
        const again = await pair.run();
        expect(again).toMatchObject({
          target: { ok: true, value: { filesChanged: 0, entriesRemoved: 0 } },
        });
      }),
      { numRuns: 15 },
    );
  });

  test("makes a copy equal again after changes that nobody reported", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        pair.empty();
        const writer = new RandomWriter(pair.source, seed);
        writer.steps(40);
        expect(await pair.run()).toMatchObject({ target: { ok: true } });
        writer.steps(40);
        writer.close();
        expect(await pair.run()).toMatchObject({ target: { ok: true } });
        expect(pair.differences()).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });

  test("keeps up with an application that changes things between any two records", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        pair.empty();
        const dirty = new DirtySet();
        const writer = new RandomWriter(pair.source, seed, dirty);
        writer.steps(60);
        dirty.take();
        let [isPaused, budget] = [false, 200];
        const between = (channel: RecordChannel): RecordChannel => ({
          send: (record) => {
            channel.send(record);
            if (isPaused || budget <= 0) return;
            writer.steps(3);
            budget -= 3;
          },
          receive: (timeoutMs) => channel.receive(timeoutMs),
          close: () => channel.close(),
        });
        const outcome = await pair.run({
          channel: between,
          core: {
            takeDirty: () => dirty.take(),
            pause: () => {
              isPaused = true;
              return true;
            },
            resume: () => {
              isPaused = false;
            },
          },
        });
        writer.close();
        expect(outcome).toMatchObject({ source: { ok: true }, target: { ok: true } });
        expect(pair.differences()).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
