import fc from "fast-check";
import { expect, test } from "vitest";
import { utcText } from "./utc-text.ts";

test("says what the platform's own calendar says", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (atMs) => {
      const iso = new Date(atMs).toISOString();
      expect(utcText(atMs)).toBe(`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`);
    }),
  );
});
