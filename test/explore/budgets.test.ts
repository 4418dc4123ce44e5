import { describe, expect, test } from "vitest";
import { type Budget, Budgets, spent } from "./budgets.ts";
import { Queue } from "./queue.ts";
import { RowTable, WIDTH } from "./row-table.ts";

const whole: Budget = { faults: 3, crashes: 2, strays: 2, lostReplies: 1, forces: 1, orders: 0 };
const budgets = new Budgets(whole);
const row = (first: number): Int32Array => Int32Array.from({ length: WIDTH }, (_, i) => first + i);

describe("budgets of faults", () => {
  test("a fault costs one of its kind, and one of all", () => {
    expect(spent(whole, "crashes")).toMatchObject({ faults: 2, crashes: 1, strays: 2 });
    expect(spent(whole, "orders")).toBeNull();
    const two = budgets.after(0, ["crashes", "crashes"]);
    expect(budgets.all[two]).toEqual({
      ...{ faults: 1, crashes: 0, strays: 1, lostReplies: 1, forces: 1, orders: 0 },
    });
  });

  test("every budget that can be left has its number, with the most faults first", () => {
    const faults = budgets.all.map((budget) => budget.faults);
    expect(faults).toEqual([...faults].sort((x, y) => y - x));
    // Of 3 faults none was spent, or one of 4 kinds; with one left, which kinds may still come; none.
    expect(budgets.all.length).toBe(1 + 4 + 6 + 1);
  });
});

describe("what is looked at again", () => {
  test("a state is news only with more left of some kind than it was reached with before", () => {
    const table = new RowTable(budgets);
    const state = table.add(row(7));
    const crashed = budgets.after(0, ["crashes"]);
    const cut = budgets.after(0, ["strays"]);
    expect(table.isNews(state, crashed)).toBe(true);
    expect(table.isNews(state, crashed)).toBe(false);
    expect(table.isNews(state, budgets.after(0, ["crashes", "strays"]))).toBe(false);
    expect(table.isNews(state, cut)).toBe(true);
    expect(table.isNews(state, 0)).toBe(true);
    expect(table.isNews(table.add(row(8)), crashed)).toBe(true);
    expect(table.add(row(7))).toBe(state);
  });

  test("stories with fewer faults come first, and each knows where it came from", () => {
    const queue = new Queue(budgets);
    queue.add(10, 0, -1);
    const start = queue.take();
    queue.add(11, budgets.after(0, ["crashes"]), start);
    queue.add(12, 0, start);
    const second = queue.take();
    expect([queue.stateOf(second), queue.depthOf(second), queue.parentOf(second)]).toEqual([
      12, 1, 0,
    ]);
    expect(queue.stateOf(queue.take())).toBe(11);
    expect(queue.take()).toBe(-1);
  });
});
