import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../test/setup/length.ts";
import { Opener, RECORD_BYTES_MAX, Sealer } from "./sealed-stream.ts";

const key = randomBytes(32);

function sealAll(texts: readonly string[]): Buffer[] {
  const sealer = new Sealer(key);
  return texts.map((text) => Buffer.concat(sealer.seal(Buffer.from(text))));
}

/** The texts that come out until the end or the first error. */
function openAll(stream: Buffer, withKey = key): { texts: string[]; failed: boolean } {
  const opener = new Opener(withKey);
  const texts: string[] = [];
  let at = 0;
  for (;;) {
    const opened = opener.open(stream, at, stream.length);
    if (!opened.ok) return { texts, failed: true };
    if (opened.value === null) return { texts, failed: false };
    texts.push(opened.value.plaintext.toString());
    at = opened.value.next;
  }
}

describe("sealed records", () => {
  test("come out as they went in, in order, also in pieces", () => {
    const stream = Buffer.concat(sealAll(["one", "", "three"]));
    expect(openAll(stream)).toEqual({ texts: ["one", "", "three"], failed: false });
    expect(openAll(stream.subarray(0, stream.length - 1)).texts).toEqual(["one", ""]);
  });

  test("replayed, left out, swapped, or under another key: refused", () => {
    const [one, two] = sealAll(["one", "two"]);
    if (one === undefined || two === undefined) throw new Error("two records");
    expect(openAll(Buffer.concat([one, one]))).toEqual({ texts: ["one"], failed: true });
    expect(openAll(two)).toEqual({ texts: [], failed: true });
    expect(openAll(Buffer.concat([two, one]))).toEqual({ texts: [], failed: true });
    expect(openAll(one, randomBytes(32))).toEqual({ texts: [], failed: true });
  });

  test("with any bit changed: refused, or (in the length) not taken for whole", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(7), (position, bit) => {
        const stream = Buffer.concat(sealAll(["a secret", "another"]));
        const at = position % stream.length;
        stream[at] = (stream[at] ?? 0) ^ (1 << bit);
        const { texts, failed } = openAll(stream);
        expect(texts.length).toBeLessThan(2);
        if (!failed) expect(texts).toEqual(at < 28 ? [] : ["a secret"]);
      }),
      { numRuns: cases(2000) },
    );
  });

  test("a length beyond the limit is refused before anything is awaited", () => {
    const stream = Buffer.alloc(4);
    stream.writeUInt32LE(RECORD_BYTES_MAX + 17);
    expect(openAll(stream).failed).toBe(true);
    stream.writeUInt32LE(15);
    expect(openAll(stream).failed).toBe(true);
  });
});
