import { expect, test } from "vitest";
import { LeaseCell } from "./lease-cell.ts";

const grant = (epoch: number, untilBootMs: number, sentAtBootMs = untilBootMs - 1_800) => ({
  epoch,
  untilBootMs,
  sentAtBootMs,
});

test("is not live before anything is served, nor without a grant", () => {
  const cell = new LeaseCell();
  expect(cell.isLive(0)).toBe(false);
  cell.serve(7);
  expect(cell.isLive(0)).toBe(false);
  expect(cell.leaseUntilBootMs()).toBeNull();
});

test("lives until the end of the longer grant, to the millisecond", () => {
  const cell = new LeaseCell();
  cell.serve(7);
  cell.setPeerGrant(grant(7, 10_000.9));
  expect([cell.isLive(9_999.9), cell.isLive(10_000)]).toEqual([true, false]);
  cell.setWitnessGrant(grant(7, 12_000));
  expect([cell.isLive(11_999), cell.isLive(12_000)]).toEqual([true, false]);
  cell.setWitnessGrant(null);
  expect(cell.isLive(11_000)).toBe(false);
});

test("counts grants of the epoch served only", () => {
  const cell = new LeaseCell();
  cell.serve(8);
  cell.setPeerGrant(grant(7, 10_000));
  cell.setWitnessGrant(grant(9, 10_000));
  cell.setStandingVote(7);
  expect(cell.isLive(1)).toBe(false);
});

test("a standing vote has no end", () => {
  const cell = new LeaseCell();
  cell.serve(7);
  cell.setStandingVote(7);
  expect(cell.isLive(1e15)).toBe(true);
  expect(cell.leaseUntilBootMs()).toBe(Number.POSITIVE_INFINITY);
});

test("a fence ends everything until thawed", () => {
  const cell = new LeaseCell();
  cell.serve(7);
  cell.setStandingVote(7);
  cell.fence();
  expect(cell.isLive(1)).toBe(false);
  cell.thaw();
  expect(cell.isLive(1)).toBe(true);
});

test("after a noticed stall, only an answer to a later request counts", () => {
  const cell = new LeaseCell();
  cell.serve(7);
  cell.setPeerGrant(grant(7, 10_000, 8_200));
  cell.noticeStall(9_000);
  expect(cell.isLive(9_100)).toBe(false);
  cell.setPeerGrant(grant(7, 10_700, 8_900));
  expect(cell.isLive(9_100)).toBe(false);
  cell.setPeerGrant(grant(7, 10_900, 9_100));
  expect(cell.isLive(9_200)).toBe(true);
});

test("every thread sees the same words", () => {
  const here = new LeaseCell();
  const there = new LeaseCell(here.buffer);
  here.serve(7);
  there.setPeerGrant(grant(7, 10_000));
  there.watchDataThread(true);
  there.countDataProgress();
  expect(here.isLive(9_000)).toBe(true);
  expect([here.isDataThreadWatched, here.dataProgress]).toEqual([true, 1]);
});
