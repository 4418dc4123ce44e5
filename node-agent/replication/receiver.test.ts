import { describe, expect, test } from "vitest";
import { ReceiverOrder } from "#model/replication/receiver-order.ts";
import { ok } from "#model/shared/result.ts";
import { decodeFrames, type Frame } from "./frame.ts";
import type { Operation } from "./operation.ts";
import { Receiver } from "./receiver.ts";

/** A receiver whose applier, helper threads and connection write down what they are asked. */
function newReceiver(o: { fails?: number; poolIsFull?: boolean } = {}) {
  const log: string[] = [];
  const syncs: ((result: number) => void)[] = [];
  const order = new ReceiverOrder();
  order.follow(3);
  order.beginResync(3, "one");
  order.openStream(3, "one");
  let applied = 0;
  const receiver = new Receiver({
    order,
    applier: {
      apply: (operation: Operation) => {
        applied += 1;
        log.push(`apply ${operation.kind}`);
        return applied === o.fails ? -28 : 0;
      },
      files: { hold: () => 9, releaser: () => () => log.push("let go") },
    },
    blocking: {
      submit: (kind, _, done) => {
        if (o.poolIsFull === true && syncs.length > 0) return false;
        log.push(kind);
        syncs.push(done);
        return true;
      },
    },
    onFault: (errno, detail) => log.push(`fault ${errno} ${detail}`),
  });
  receiver.use({
    send: (record) => {
      decodeFrames(Buffer.from(record), ({ frame }) => {
        log.push(describeFrame(frame));
        return true;
      });
      return ok(undefined);
    },
  });
  receiver.begin(0);
  receiver.finishBatch();
  log.length = 0;
  const take = (sequence: number, operation: Operation, epoch = 3) => {
    const isAwaited = operation.kind !== "fsync";
    return receiver.take({ epoch, frame: { kind: "operation", sequence, operation, isAwaited } });
  };
  /** Nobody waits for it. */
  const takeUnawaited = (sequence: number, operation: Operation) =>
    receiver.take({
      epoch: 3,
      frame: { kind: "operation", sequence, operation, isAwaited: false },
    });
  return { receiver, order, log, syncs, take, takeUnawaited };
}

const describeFrame = (frame: Frame): string =>
  "sequence" in frame ? `${frame.kind} ${frame.sequence}` : frame.kind;
const truncate: Operation = { kind: "truncate", id: 5, sizeBytes: 0 };
const fsync: Operation = { kind: "fsync", id: 5, dataOnly: false };

describe("a receiver", () => {
  test("acknowledges once per batch, after everything in it has been applied", () => {
    const { receiver, log, take } = newReceiver();
    take(1, truncate);
    take(2, truncate);
    receiver.finishBatch();
    expect(log).toEqual(["apply truncate", "apply truncate", "applied 2"]);
    receiver.finishBatch();
    expect(log).toHaveLength(3);
  });

  test("what nobody waits for is acknowledged with what follows, or when it suits", () => {
    const { receiver, log, takeUnawaited, take } = newReceiver();
    takeUnawaited(1, truncate);
    receiver.finishBatch();
    expect(log).toEqual(["apply truncate"]);
    receiver.acknowledgeRest();
    receiver.acknowledgeRest();
    expect(log.slice(1)).toEqual(["applied 1"]);
    takeUnawaited(2, truncate);
    receiver.finishBatch();
    take(3, truncate);
    receiver.finishBatch();
    expect(log.slice(2)).toEqual(["apply truncate", "apply truncate", "applied 3"]);
  });

  test("much that nobody waits for is acknowledged before the sender's window is full", () => {
    const { receiver, log, takeUnawaited } = newReceiver();
    const data = Buffer.alloc(512 * 1024);
    takeUnawaited(1, { kind: "write", id: 5, offsetBytes: 0, data });
    receiver.finishBatch();
    expect(log).toEqual(["apply write"]);
    takeUnawaited(2, { kind: "write", id: 5, offsetBytes: 0, data });
    receiver.finishBatch();
    expect(log).toEqual(["apply write", "apply write", "applied 2"]);
    for (let sequence = 3; sequence < 3 + 64; sequence += 1) {
      takeUnawaited(sequence, truncate);
      receiver.finishBatch();
    }
    expect(log.at(-1)).toBe("applied 66");
    expect(log.filter((line) => line.startsWith("applied"))).toHaveLength(2);
  });

  test("an fsync's answer says too that what came before it was applied", () => {
    const { receiver, log, syncs, takeUnawaited } = newReceiver();
    takeUnawaited(1, truncate);
    takeUnawaited(2, fsync);
    receiver.finishBatch();
    syncs[0]?.(0);
    receiver.finishBatch();
    receiver.acknowledgeRest();
    expect(log).toEqual(["apply truncate", "apply fsync", "fsync", "let go", "durable 2"]);
  });

  test("never acknowledges what it could not apply, nor anything after it", () => {
    const { receiver, order, log, take } = newReceiver({ fails: 2 });
    take(1, truncate);
    expect(take(2, truncate).ok).toBe(false);
    receiver.finishBatch();
    expect(log).toEqual([
      "apply truncate",
      "apply truncate",
      "applied 1",
      "fault 2",
      "fault 28 truncate (operation 2): ENOSPC",
    ]);
    expect(take(3, truncate).ok).toBe(false);
    expect(order.phase).toBe("none");
    expect(log.filter((line) => line.startsWith("apply"))).toHaveLength(2);
  });

  test("an fsync is durable when the disk has answered, not when it was received", () => {
    const { receiver, log, syncs, take } = newReceiver();
    take(1, fsync);
    take(2, truncate);
    receiver.finishBatch();
    expect(log).toEqual(["apply fsync", "fsync", "apply truncate", "applied 2"]);
    syncs[0]?.(0);
    receiver.finishBatch();
    expect(log.slice(4)).toEqual(["let go", "durable 1"]);
  });

  test("an fsync that failed ends the stream and is never called durable", () => {
    const { receiver, order, log, syncs, take } = newReceiver();
    take(1, fsync);
    syncs[0]?.(-5);
    receiver.finishBatch();
    expect(log).toContain("fault 5 fsync (operation 1): EIO");
    expect(log.join()).not.toContain("durable");
    expect(order.phase).toBe("none");
  });

  test("the answer of a disk to an attachment that is over is not sent", () => {
    const { receiver, order, log, syncs, take } = newReceiver();
    take(1, fsync);
    receiver.finishBatch();
    order.detach();
    receiver.stop();
    syncs[0]?.(0);
    receiver.finishBatch();
    expect(log.join()).not.toContain("durable");
  });

  test("fsyncs beyond the helpers' queue wait their turn", () => {
    const { receiver, log, syncs, take } = newReceiver({ poolIsFull: true });
    take(1, fsync);
    take(2, fsync);
    expect(syncs).toHaveLength(1);
    const first = syncs.pop();
    first?.(0);
    expect(syncs).toHaveLength(1);
    syncs[0]?.(0);
    receiver.finishBatch();
    expect(log).toContain("durable 1");
    expect(log).toContain("durable 2");
  });

  test("an older epoch is refused with the one that is known, and changes nothing", () => {
    const { log, take } = newReceiver();
    expect(take(1, truncate, 2).ok).toBe(false);
    expect(log).toEqual(["refused"]);
  });

  test("a repeated operation is not applied twice", () => {
    const { log, take } = newReceiver();
    take(1, truncate);
    expect(take(1, truncate).ok).toBe(true);
    expect(log).toEqual(["apply truncate"]);
  });
});
