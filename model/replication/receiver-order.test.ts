import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReceiverOrder } from "./receiver-order.ts";

function live(epoch = 3): ReceiverOrder {
  const order = new ReceiverOrder();
  order.follow(epoch);
  order.beginResync(epoch, "one");
  order.openStream(epoch, "one");
  return order;
}

describe("the order of a receiver", () => {
  test("takes nothing before it follows a primary", () => {
    const order = new ReceiverOrder();
    expect(order.judgeEpoch(1).ok).toBe(false);
    expect(order.beginResync(1, "one").ok).toBe(false);
  });

  test("applies the next operation, skips a repeated one, rejects a gap", () => {
    const order = live();
    expect(order.judgeOperation(3, 1)).toEqual({ ok: true, value: "apply" });
    order.applied(1);
    expect(order.judgeOperation(3, 1)).toEqual({ ok: true, value: "duplicate" });
    expect(order.judgeOperation(3, 3)).toMatchObject({ ok: false, error: { kind: "violation" } });
    expect(order.appliedSequence).toBe(1);
  });

  test("refuses an older epoch and one it was not told of, and says which it knows", () => {
    const order = live(3);
    expect(order.judgeOperation(2, 1)).toMatchObject({
      ok: false,
      error: { kind: "refused", known: 3 },
    });
    expect(order.judgeOperation(4, 1)).toMatchObject({
      ok: false,
      error: { kind: "refused", known: 3 },
    });
  });

  test("after a vote not even the followed epoch is accepted, nor followed again", () => {
    const order = live(3);
    order.refuseBelow(4);
    expect(order.judgeOperation(3, 1)).toMatchObject({ ok: false, error: { known: 4 } });
    expect(order.resumeStream(3, "one").ok).toBe(false);
    expect(order.follow(3).ok).toBe(false);
    expect(order.follow(4).ok).toBe(true);
  });

  test("a stream opens only for the attachment that was resynced, and once", () => {
    const order = new ReceiverOrder();
    order.follow(3);
    expect(order.openStream(3, "one").ok).toBe(false);
    order.beginResync(3, "one");
    expect(order.openStream(3, "other").ok).toBe(false);
    expect(order.openStream(3, "one").ok).toBe(true);
    expect(order.openStream(3, "one").ok).toBe(false);
  });

  test("a stream is resumed where it stopped while its attachment lives", () => {
    const order = live();
    order.applied(1);
    order.applied(2);
    expect(order.resumeStream(3, "one")).toEqual({ ok: true, value: 2 });
    expect(order.resumeStream(3, "other").ok).toBe(false);
    order.detach();
    expect(order.resumeStream(3, "one").ok).toBe(false);
  });

  test("a new epoch ends the attachment of the old one", () => {
    const order = live(3);
    order.follow(4);
    expect(order.phase).toBe("none");
    expect(order.judgeOperation(4, 1).ok).toBe(false);
  });

  test("whatever arrives, operations are applied once, in order, in the followed epoch", () => {
    const frame = fc.record({
      epoch: fc.integer({ min: 1, max: 4 }),
      sequence: fc.integer({ min: 1, max: 6 }),
      vote: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 80 }), (frames) => {
        const order = live(3);
        const applied: number[] = [];
        let hasVoted = false;
        for (const { epoch, sequence, vote } of frames) {
          if (vote && sequence === 6) {
            order.refuseBelow(4);
            hasVoted = true;
          }
          const judged = order.judgeOperation(epoch, sequence);
          if (!judged.ok || judged.value !== "apply") continue;
          expect(hasVoted).toBe(false);
          expect(epoch).toBe(3);
          applied.push(sequence);
          order.applied(sequence);
        }
        expect(applied).toEqual(applied.map((_, index) => index + 1));
      }),
    );
  });
});
