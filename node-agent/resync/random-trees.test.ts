import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { DirtySet } from "#model/replication/dirty-set.ts";
import { cases } from "../../test/setup/length.ts";
import type { RecordChannel } from "./resync.ts";
import { Pair } from "./testing/pair.ts";
import { RandomWriter } from "./testing/random-writer.ts";
import { STEPS_MIN, Writer } from "./testing/writer.ts";

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
      { numRuns: cases(6) },
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
      { numRuns: cases(4) },
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
      { numRuns: cases(12) },
    );
  });

  test("keeps up with an application that runs in a thread of its own", async () => {
    for (let seed = 1; seed <= cases(2); seed += 1) {
      pair.empty();
      const before = new RandomWriter(pair.source, seed);
      before.steps(150);
      before.close();
      const writer = new Writer(pair.source, seed + 1000, 5_000);
      try {
        await writer.started();
        const outcome = await pair.run({ core: writer.core, bandwidthBytesPerSecond: 30_000_000 });
        expect(writer.stepsDone).toBeGreaterThanOrEqual(STEPS_MIN);
        expect(outcome).toMatchObject({ source: { ok: true }, target: { ok: true } });
        // The application stays paused where the live stream would have taken over.
        expect(pair.differences()).toEqual([]);
      } finally {
        await writer.close();
      }
    }
  });
});
