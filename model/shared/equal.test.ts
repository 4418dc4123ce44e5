import fc from "fast-check";
import { expect, test } from "vitest";
import { areEqual } from "./equal.ts";

test("two values are equal exactly when their JSON is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const copy: unknown = JSON.parse(JSON.stringify(a));
      expect(areEqual(copy, JSON.parse(JSON.stringify(a)))).toBe(true);
      // Parts may come in another order; then only the texts differ.
      if (JSON.stringify(a) === JSON.stringify(b)) expect(areEqual(a, b)).toBe(true);
    }),
  );
});

test.each([
  [{ a: 1 }, { a: 1, b: 2 }],
  [{ a: 1, b: 2 }, { a: 1 }],
  [[1], { 0: 1 }],
  [[1, 2], [1]],
  [null, {}],
  [{ a: { b: [1] } }, { a: { b: [2] } }],
])("%j is not %j", (a, b) => {
  expect(areEqual(a, b)).toBe(false);
});
