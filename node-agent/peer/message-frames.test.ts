import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, FrameReader } from "./message-frames.ts";

test("gives back what was written, wherever the stream is cut", () => {
  const messages = fc.array(fc.jsonValue(), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.nat(40), { maxLength: 40 }), (sent, cuts) => {
      const frames = sent.map((message) => encodeFrame(message) ?? Buffer.alloc(0));
      let stream = Buffer.concat(frames);
      const reader = new FrameReader();
      const received: unknown[] = [];
      for (const length of [...cuts, stream.length]) {
        const read = reader.read(stream.subarray(0, length));
        stream = stream.subarray(length);
        if (!read.ok) throw new Error("a good frame was refused");
        received.push(...read.value);
      }
      expect(received).toEqual(JSON.parse(JSON.stringify(sent)));
    }),
  );
});

test("refuses a length beyond the limit before it waits for the body", () => {
  const length = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
  expect(new FrameReader().read(length)).toEqual({ ok: false, error: "malformed" });
});

test("refuses what is no JSON", () => {
  const frame = Buffer.from([0, 0, 0, 1, 0x7b]);
  expect(new FrameReader().read(frame)).toEqual({ ok: false, error: "malformed" });
});

test("writes nothing that the other end would refuse", () => {
  expect(encodeFrame("x".repeat(65_537))).toBeNull();
});
