import fc from "fast-check";
import { expect, test } from "vitest";
import { FRESH_WINDOW, isFresh, noteSeen, REPLAY_WINDOW } from "./replay-window.ts";

test("takes each counter once, in any order within the window", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 300 }), (counters) => {
      let window = FRESH_WINDOW;
      const seen = new Set<number>();
      for (const counter of counters) {
        const highest = Math.max(0, ...seen);
        const expected = !seen.has(counter) && counter > highest - REPLAY_WINDOW;
        expect(isFresh(window, counter)).toBe(expected);
        if (!expected) continue;
        window = noteSeen(window, counter);
        seen.add(counter);
      }
    }),
  );
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 53])("refuses the counter %d", (counter) => {
  expect(isFresh(FRESH_WINDOW, counter)).toBe(false);
});
