/**
 * What somebody between the nodes can do to a stream, and what a peer can that has the keys and
 * lies: whatever arrives, only whole operations of the followed epoch are applied, each once, in
 * order, and nothing after the first byte that cannot be trusted.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReceiverOrder } from "#model/replication/receiver-order.ts";
import { bound, cases } from "../../test/setup/length.ts";
import { POLLIN } from "../adapters/linux/poll.ts";
import { encodeFrame } from "./frame.ts";
import { LiveConnection } from "./live-connection.ts";
import type { Network } from "./network.ts";
import type { Operation } from "./operation.ts";
import { Receiver } from "./receiver.ts";
import { RECORD_BYTES_MAX, Sealer } from "./sealed-stream.ts";
import { WireWriter } from "./wire.ts";

const EPOCH = 7;
const key = randomBytes(32);
const backKey = randomBytes(32);

/** A secondary's end, to which bytes are fed as they would come from a socket. */
class Victim {
  readonly applied: number[] = [];
  lostBecause: string | null = null;
  #arrived: Buffer = Buffer.alloc(0);
  readonly #live: LiveConnection;

  constructor() {
    const order = new ReceiverOrder();
    order.follow(EPOCH);
    order.beginResync(EPOCH, "one");
    order.openStream(EPOCH, "one");
    const receiver = new Receiver({
      order,
      applier: {
        apply: (operation: Operation) => {
          if (operation.kind === "truncate") this.applied.push(operation.sizeBytes);
          return 0;
        },
        files: { hold: () => 9, releaser: () => () => undefined },
      },
      blocking: { submit: () => true },
      onFault: (_, detail) => {
        throw new Error(`nothing fails here: ${detail}`);
      },
    });
    this.#live = new LiveConnection({
      network: this.#network(),
      take: (decoded) => {
        const taken = receiver.take(decoded);
        return taken.ok ? null : taken.error.reason;
      },
      onBatch: () => receiver.finishBatch(),
      onLost: (reason) => {
        this.lostBecause = reason;
        this.#live.close();
      },
    });
    this.#live.open({ fd: 5, sendKey: backKey, receiveKey: key });
    receiver.use(this.#live);
    receiver.begin(0);
  }

  /** In pieces of at most `pieceBytes`, as long as it listens. */
  feed(bytes: Buffer, pieceBytes: number): void {
    for (let at = 0; at < bytes.length && this.lostBecause === null; ) {
      this.#arrived = bytes.subarray(at, at + pieceBytes);
      at += this.#arrived.length;
      while (this.#arrived.length > 0 && this.lostBecause === null) this.#live.onReady(POLLIN);
    }
  }

  #network(): Network {
    const never = (): never => {
      throw new Error("a connection that stands needs no more than this");
    };
    return {
      ...{ connectTo: never, connectError: never, acceptFrom: never, tune: never },
      randomBytes,
      close: () => undefined,
      send: (_, data) => data.length,
      receive: (_, into, length) => {
        const got = this.#arrived.subarray(0, length);
        into.set(got);
        this.#arrived = this.#arrived.subarray(got.length);
        return got.length;
      },
    };
  }
}

type Said = { readonly epoch: number; readonly sequence: number };

/** Operation n cuts a file to n bytes, so that what was applied can be told apart. */
function frames(said: readonly Said[]): Buffer {
  const writer = new WireWriter(64);
  for (const { epoch, sequence } of said) {
    const operation = { kind: "truncate", id: 5, sizeBytes: sequence } as const;
    encodeFrame(writer, epoch, { kind: "operation", sequence, operation, isAwaited: true });
  }
  return writer.take();
}

const sealAll = (plaintexts: readonly Buffer[]): Buffer[] => {
  const sealer = new Sealer(key);
  return plaintexts.map((plaintext) => Buffer.concat(sealer.seal(plaintext)));
};

/** Frames in a history of `records` records. */
const FRAMES_A_RECORD = 5;
const history = (records: number): Buffer[] =>
  Array.from({ length: records }, (_, record) =>
    frames(
      Array.from({ length: FRAMES_A_RECORD }, (_, index) => ({
        epoch: EPOCH,
        sequence: record * FRAMES_A_RECORD + index + 1,
      })),
    ),
  );

const isPrefix = (applied: readonly number[]): boolean =>
  applied.every((sequence, index) => sequence === index + 1);

const pieces = fc.constantFrom(1, 7, 64, 4096);
const records = fc.integer({ min: 2, max: 6 });
/** Of some 20 frames each: with all tests, more than a hundred thousand in the short form. */
const RUNS = 1250;

describe("a stream in the hands of somebody without the keys", () => {
  test("is taken as it was sent, in pieces of any size", () => {
    const victim = new Victim();
    victim.feed(Buffer.concat(sealAll(history(6))), 3);
    expect(victim.applied).toHaveLength(6 * FRAMES_A_RECORD);
    expect(isPrefix(victim.applied)).toBe(true);
    expect(victim.lostBecause).toBeNull();
  });

  const damage: readonly (readonly [string, (sealed: Buffer[], at: number) => Buffer[]])[] = [
    ["a record comes twice", (sealed, at) => sealed.toSpliced(at, 0, sealed[at] ?? key)],
    ["a record is left out", (sealed, at) => sealed.toSpliced(at, 1)],
    [
      "two records change places",
      (sealed, at) => {
        const other = (at + 1) % sealed.length;
        return sealed.with(at, sealed[other] ?? key).with(other, sealed[at] ?? key);
      },
    ],
    [
      "a record of another connection is put in",
      (sealed, at) => sealed.toSpliced(at, 0, Buffer.concat(new Sealer(backKey).seal(frames([])))),
    ],
    [
      "a length is beyond the limit",
      (sealed, at) => {
        const length = Buffer.alloc(4);
        length.writeUInt32LE(RECORD_BYTES_MAX + 17);
        return sealed.toSpliced(at, 0, length);
      },
    ],
  ];
  test.each(damage)(
    "is refused where %s",
    (_, change) => {
      fc.assert(
        fc.property(records, fc.nat(), pieces, (count, where, pieceBytes) => {
          const sealed = sealAll(history(count));
          const at = where % count;
          const victim = new Victim();
          victim.feed(Buffer.concat(change(sealed, at)), pieceBytes);
          // What came before is whole; of a last record that is missing nothing can be known.
          expect(isPrefix(victim.applied)).toBe(true);
          expect(victim.applied.length).toBeLessThanOrEqual((at + 1) * FRAMES_A_RECORD);
          if (victim.applied.length < count * FRAMES_A_RECORD && at < count - 1) {
            expect(victim.lostBecause).not.toBeNull();
          }
        }),
        { numRuns: cases(RUNS / 5) },
      );
    },
    bound(60_000),
  );

  test(
    "is refused from the first byte that was changed, and not applied when it is cut short",
    () => {
      fc.assert(
        fc.property(
          records,
          fc.nat(),
          fc.nat(7),
          fc.boolean(),
          pieces,
          (count, where, bit, isCut, piece) => {
            const sealed = sealAll(history(count));
            const whole = Buffer.concat(sealed);
            const at = where % whole.length;
            const hurt = isCut ? whole.subarray(0, at) : Buffer.from(whole);
            if (!isCut) hurt[at] = (hurt[at] ?? 0) ^ (1 << bit);
            const recordBytes = sealed[0]?.length ?? 1;
            const victim = new Victim();
            victim.feed(hurt, piece);
            expect(victim.applied).toHaveLength(Math.floor(at / recordBytes) * FRAMES_A_RECORD);
            expect(isPrefix(victim.applied)).toBe(true);
          },
        ),
        { numRuns: cases(2 * RUNS) },
      );
    },
    bound(60_000),
  );
});

describe("a peer that has the keys and lies", () => {
  const lie = fc.oneof(
    // Of an epoch that is over, or that nobody here has heard of.
    fc.record({
      epoch: fc.constantFrom(0, 1, EPOCH - 1, EPOCH + 1, 2 ** 53 - 1),
      skip: fc.constant(1),
    }),
    // Gaps, repeats, the far end of the numbers.
    fc.record({ epoch: fc.constant(EPOCH), skip: fc.integer({ min: -5, max: 5 }) }),
    fc.record({ epoch: fc.constant(EPOCH), skip: fc.constantFrom(2 ** 32, 2 ** 52) }),
  );

  test(
    "has each operation of the followed epoch applied once and in order, and no other",
    () => {
      fc.assert(
        fc.property(fc.array(lie, { minLength: 10, maxLength: 40 }), pieces, (lies, pieceBytes) => {
          let sequence = 0;
          const said = lies.map(({ epoch, skip }) => {
            sequence = Math.min(Math.max(1, sequence + skip), Number.MAX_SAFE_INTEGER);
            return { epoch, sequence };
          });
          const victim = new Victim();
          victim.feed(Buffer.concat(sealAll(said.map((one) => frames([one])))), pieceBytes);
          let next = 1;
          for (const one of said) {
            if (one.epoch !== EPOCH || one.sequence > next) break;
            if (one.sequence === next) next += 1;
          }
          expect(victim.applied).toEqual(Array.from({ length: next - 1 }, (_, index) => index + 1));
        }),
        { numRuns: cases(RUNS) },
      );
    },
    bound(60_000),
  );

  test(
    "with frames that are damaged inside has nothing applied from there on",
    () => {
      fc.assert(
        fc.property(records, fc.nat(), fc.nat(255), pieces, (count, where, value, pieceBytes) => {
          const plain = history(count);
          const frameBytes = (plain[0]?.length ?? 0) / FRAMES_A_RECORD;
          const at = where % (count * FRAMES_A_RECORD * frameBytes);
          const record = Math.floor(at / (FRAMES_A_RECORD * frameBytes));
          const hurt = plain[record] ?? Buffer.alloc(0);
          const inRecord = at % (FRAMES_A_RECORD * frameBytes);
          const isSame = hurt[inRecord] === value;
          hurt[inRecord] = value;
          const victim = new Victim();
          victim.feed(Buffer.concat(sealAll(plain)), pieceBytes);
          const before = Math.floor(at / frameBytes);
          expect(isPrefix(victim.applied.slice(0, before))).toBe(true);
          expect(victim.applied.length).toBeGreaterThanOrEqual(before);
          if (isSame) expect(victim.applied).toHaveLength(count * FRAMES_A_RECORD);
          // A length, a kind, an epoch or a sequence that is not right ends it there.
          const [SEQUENCE_AT, HEADER_BYTES] = [16, 24];
          const isFlag = at % frameBytes === 5;
          if (!isSame && at % frameBytes < HEADER_BYTES && !isFlag) {
            expect(victim.applied).toHaveLength(before);
            // An older sequence is what comes twice after a reconnect, and no offence.
            if (at % frameBytes < SEQUENCE_AT) expect(victim.lostBecause).not.toBeNull();
          }
        }),
        { numRuns: cases(RUNS) },
      );
    },
    bound(60_000),
  );
});
