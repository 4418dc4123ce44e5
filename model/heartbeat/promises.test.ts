import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asksOf,
  NOTHING_HELD,
  noteAcknowledged,
  noteSent,
  OUTSTANDING_MAX,
  seek,
} from "./grant-counter.ts";
import { closePromise, EMPTY_BOOK, entryOf, openPromise, renewPromises } from "./promise-book.ts";

const ASK = [{ moduleId: "shop", epoch: 7 }];

describe("the giver of a promise", () => {
  test("promises nothing until told to", () => {
    const { given, book } = renewPromises(EMPTY_BOOK, ASK, 1_000);
    expect(given).toEqual([]);
    expect(entryOf(book, "shop").lastPromiseEndsBootMs).toBeNull();
  });

  test("renews the epoch that is open, counted from receipt", () => {
    const open = openPromise(EMPTY_BOOK, "shop", 7, 2_000);
    const { given, book } = renewPromises(open, ASK, 1_000);
    expect(given).toEqual([{ moduleId: "shop", epoch: 7, promiseMs: 2_000 }]);
    expect(entryOf(book, "shop").lastPromiseEndsBootMs).toBe(3_000);
  });

  test.each([6, 8])("gives nothing to the primary of epoch %i while 7 is open", (epoch) => {
    const open = openPromise(EMPTY_BOOK, "shop", 7, 2_000);
    expect(renewPromises(open, [{ moduleId: "shop", epoch }], 1_000).given).toEqual([]);
  });

  test("keeps the end of what it promised when it closes, and renews no more", () => {
    const open = openPromise(EMPTY_BOOK, "shop", 7, 2_000);
    const closed = closePromise(renewPromises(open, ASK, 1_000).book, "shop");
    const { given, book } = renewPromises(closed, ASK, 1_500);
    expect(given).toEqual([]);
    expect(entryOf(book, "shop")).toMatchObject({
      epoch: null,
      lastPromiseEndsBootMs: 3_000,
      longestPromiseMs: 2_000,
    });
  });

  test("remembers the longest promise when the length changes", () => {
    const long = renewPromises(openPromise(EMPTY_BOOK, "shop", 7, 15_000), ASK, 0).book;
    const short = renewPromises(openPromise(long, "shop", 7, 900), ASK, 1_000).book;
    expect(entryOf(short, "shop")).toMatchObject({
      longestPromiseMs: 15_000,
      lastPromiseEndsBootMs: 15_000,
    });
  });
});

describe("the holder of a promise", () => {
  const given = [{ moduleId: "shop", epoch: 7, promiseMs: 2_000 }];

  test("counts 0.9 of it from sending", () => {
    const sent = noteSent(seek(NOTHING_HELD, "shop", 7), 1, 10_000);
    const { counter } = noteAcknowledged(sent, 1, given);
    expect(counter.held["shop"]).toEqual({
      epoch: 7,
      untilBootMs: 11_800,
      sentAtBootMs: 10_000,
    });
  });

  test("is not shortened by a late acknowledgement, nor helped by a second copy", () => {
    let counter = noteSent(noteSent(seek(NOTHING_HELD, "shop", 7), 1, 10_000), 2, 10_200);
    counter = noteAcknowledged(counter, 2, given).counter;
    counter = noteAcknowledged(counter, 1, given).counter;
    expect(counter.held["shop"]?.untilBootMs).toBe(12_000);
    const again = noteAcknowledged(counter, 2, given);
    expect(again.sentAtBootMs).toBeNull();
    expect(again.counter).toBe(counter);
  });

  test("loses what it held when it seeks another epoch, and ignores promises for the old one", () => {
    let counter = noteSent(seek(NOTHING_HELD, "shop", 7), 1, 10_000);
    counter = seek(counter, "shop", 8);
    counter = noteAcknowledged(counter, 1, given).counter;
    expect(counter.held["shop"]?.untilBootMs).toBe(0);
    expect(asksOf(counter)).toEqual([{ moduleId: "shop", epoch: 8 }]);
    expect(asksOf(seek(counter, "shop", null))).toEqual([]);
  });

  test("forgets the oldest unanswered heartbeats at its bound", () => {
    let counter = seek(NOTHING_HELD, "shop", 7);
    for (let n = 1; n <= OUTSTANDING_MAX + 1; n += 1) counter = noteSent(counter, n, n);
    expect(counter.outstanding).toHaveLength(OUTSTANDING_MAX);
    expect(noteAcknowledged(counter, 1, given).sentAtBootMs).toBeNull();
  });
});

test("the holder's view ends before the giver's, whatever the network does", () => {
  const beat = fc.record({ gapMs: fc.nat(500), flightMs: fc.nat(5_000), backMs: fc.nat(5_000) });
  fc.assert(
    fc.property(fc.array(beat, { minLength: 1, maxLength: 40 }), (beats) => {
      let counter = seek(NOTHING_HELD, "shop", 7);
      let book = openPromise(EMPTY_BOOK, "shop", 7, 2_000);
      let sentAtMs = 0;
      const arrivals = beats.map(({ gapMs, flightMs, backMs }, index) => {
        sentAtMs += gapMs;
        counter = noteSent(counter, index, sentAtMs);
        return { index, atMs: sentAtMs + flightMs, backMs };
      });
      arrivals.sort((a, b) => a.atMs - b.atMs);
      const answers = arrivals.map(({ index, atMs, backMs }) => {
        const renewed = renewPromises(book, ASK, atMs);
        book = renewed.book;
        return { index, atMs: atMs + backMs, given: renewed.given };
      });
      answers.sort((a, b) => a.atMs - b.atMs);
      for (const { index, given } of answers) {
        counter = noteAcknowledged(counter, index, given).counter;
        const held = counter.held["shop"]?.untilBootMs ?? 0;
        expect(held).toBeLessThan(entryOf(book, "shop").lastPromiseEndsBootMs ?? 0);
      }
    }),
  );
});
