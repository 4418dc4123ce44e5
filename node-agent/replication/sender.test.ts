import { describe, expect, test } from "vitest";
import { err, ok } from "#model/shared/result.ts";
import { decodeFrames, type Frame } from "./frame.ts";
import type { Operation } from "./operation.ts";
import { WRITE_BYTES_MAX } from "./operation-codec.ts";
import { Sender } from "./sender.ts";

/** A connection that keeps what was sent, one list of frames per record. */
function newConnection() {
  const records: { epoch: number; frame: Frame }[][] = [];
  const send = (record: Uint8Array) => {
    const frames: { epoch: number; frame: Frame }[] = [];
    decodeFrames(Buffer.from(record), (decoded) => {
      frames.push(decoded);
      return true;
    });
    records.push(frames);
    return ok(undefined);
  };
  const sequences = () =>
    records.flat().flatMap(({ frame }) => (frame.kind === "operation" ? [frame.sequence] : []));
  return { records, send, sequences };
}

const id = Buffer.alloc(16);
const truncate: Operation = { kind: "truncate", id: 5, sizeBytes: 0 };
const fsync: Operation = { kind: "fsync", id: 5, dataOnly: true };

function attached() {
  const sender = new Sender();
  const connection = newConnection();
  sender.lead(4);
  sender.attach(connection, id);
  sender.window.requirePeer();
  return { sender, connection };
}

describe("a sender", () => {
  test("puts the operations of one turn into one record, in order, under its epoch", () => {
    const { sender, connection } = attached();
    for (let count = 0; count < 3; count += 1) sender.submit(truncate);
    sender.flush();
    sender.flush();
    expect(connection.records.map((frames) => frames.length)).toEqual([1, 3]);
    expect(connection.sequences()).toEqual([1, 2, 3]);
    expect(connection.records.flat().every(({ epoch }) => epoch === 4)).toBe(true);
  });

  test("with sync=fsync a write is answered at once, and everything else by the peer", () => {
    const sender = new Sender({ syncMode: "fsync" });
    const connection = newConnection();
    sender.attach(connection, id);
    sender.window.requirePeer();
    const answered: string[] = [];
    const data = Buffer.alloc(WRITE_BYTES_MAX + 10);
    sender.submit({ kind: "write", id: 5, offsetBytes: 0, data }, () => answered.push("write"));
    sender.submit(truncate, () => answered.push("truncate"));
    sender.submit(fsync, () => answered.push("fsync"));
    sender.flush();
    expect(answered).toEqual(["write"]);
    expect(connection.sequences()).toEqual([1, 2, 3, 4]);
    sender.acknowledge({ kind: "applied", sequence: 4 });
    expect(answered).toEqual(["write", "truncate"]);
    sender.acknowledge({ kind: "durable", sequence: 4 });
    expect(answered).toEqual(["write", "truncate", "fsync"]);
  });

  test("says which operations somebody waits for until they are applied", () => {
    const { sender, connection } = attached();
    const done = (): void => {};
    sender.submit(truncate);
    sender.submit(truncate, done);
    sender.submit(fsync, done);
    sender.window.stopRequiring();
    sender.submit(truncate, done);
    sender.flush();
    const said = connection.records
      .flat()
      .flatMap(({ frame }) => (frame.kind === "operation" ? [frame.isAwaited] : []));
    expect(said).toEqual([false, true, false, false]);
  });

  test("hurrying sends at once, and how it failed is told at the end of the turn", () => {
    const { sender, connection } = attached();
    sender.submit(fsync);
    sender.hurry();
    expect(connection.sequences()).toEqual([1]);
    const lost = err({ kind: "connectionLost" as const, reason: "reset" });
    sender.disconnect();
    sender.resume({ send: () => lost }, 1);
    sender.submit(fsync);
    sender.hurry();
    expect(sender.flush()).toEqual(lost);
    expect(sender.flush().ok).toBe(true);
  });

  test("counts the changes that the peer has not, and nothing while it must acknowledge", () => {
    const { sender } = attached();
    sender.submit(truncate);
    expect(sender.alone).toEqual({ changes: 0, bytes: 0 });
    sender.window.stopRequiring();
    sender.submit(truncate);
    sender.submit(fsync);
    sender.submit({ kind: "write", id: 5, offsetBytes: 0, data: Buffer.alloc(100) });
    expect(sender.alone).toEqual({ changes: 2, bytes: 100 });
    sender.window.requirePeer();
    expect(sender.alone).toEqual({ changes: 0, bytes: 0 });
    sender.submit(truncate);
    sender.window.stopRequiring();
    sender.submit(truncate);
    expect(sender.alone).toEqual({ changes: 1, bytes: 0 });
  });

  test("copies what it keeps: the caller's buffer may change after submit", () => {
    const { sender, connection } = attached();
    const data = Buffer.from("before");
    sender.submit({ kind: "write", id: 5, offsetBytes: 0, data });
    data.fill(0);
    sender.flush();
    const frame = connection.records.at(-1)?.[0]?.frame;
    const operation = frame?.kind === "operation" ? frame.operation : null;
    expect(operation?.kind === "write" ? Buffer.from(operation.data).toString() : "").toBe(
      "before",
    );
  });

  test("splits a write larger than a frame, and answers it with its last part", () => {
    const { sender, connection } = attached();
    let isDone = false;
    const data = Buffer.alloc(2 * WRITE_BYTES_MAX + 1, 1);
    sender.submit({ kind: "write", id: 5, offsetBytes: 10, data }, () => {
      isDone = true;
    });
    sender.flush();
    const offsets = connection.records
      .flat()
      .flatMap(({ frame }) =>
        frame.kind === "operation" && frame.operation.kind === "write"
          ? [frame.operation.offsetBytes]
          : [],
      );
    expect(offsets).toEqual([10, 10 + WRITE_BYTES_MAX, 10 + 2 * WRITE_BYTES_MAX]);
    sender.acknowledge({ kind: "applied", sequence: 2 });
    expect(isDone).toBe(false);
    sender.acknowledge({ kind: "applied", sequence: 3 });
    expect(isDone).toBe(true);
  });

  test("resends after a reconnect what was not applied, in order, and repeats open fsyncs", () => {
    const { sender } = attached();
    let synced = 0;
    for (const operation of [truncate, fsync, truncate]) {
      sender.submit(operation, () => {
        if (operation === fsync) synced += 1;
      });
      sender.flush();
    }
    sender.disconnect();
    sender.submit(truncate);
    sender.flush();
    const next = newConnection();
    sender.resume(next, 2);
    expect(next.sequences()).toEqual([3, 4]);
    const repeated = next.records.flat().map(({ frame }) => frame);
    expect(repeated).toContainEqual(expect.objectContaining({ kind: "repeatFsync", sequence: 2 }));
    expect(synced).toBe(0);
    sender.acknowledge({ kind: "durable", sequence: 2 });
    sender.acknowledge({ kind: "durable", sequence: 2 });
    expect(synced).toBe(1);
  });

  test("keeps nothing that has been acknowledged, and nothing of a former attachment", () => {
    const { sender } = attached();
    sender.submit(truncate);
    sender.flush();
    sender.acknowledge({ kind: "applied", sequence: 1 });
    const next = newConnection();
    sender.resume(next, 1);
    expect(next.sequences()).toEqual([]);
    sender.submit(truncate);
    sender.detach();
    const fresh = newConnection();
    sender.attach(fresh, id);
    sender.flush();
    expect(fresh.sequences()).toEqual([]);
    sender.submit(truncate);
    sender.flush();
    expect(fresh.sequences()).toEqual([1]);
  });

  test("without an attachment nothing is sent and nothing is kept", () => {
    const sender = new Sender();
    sender.lead(4);
    let done = 0;
    const count = (): void => {
      done += 1;
    };
    expect(sender.submit(truncate, count)).toBe(true);
    sender.flush();
    expect(done).toBe(1);
    expect(sender.window.unacknowledgedCount).toBe(0);
  });
});
