import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packModules, parseDatagram } from "./datagram.ts";

const BEAT = {
  kind: "beat",
  number: 1,
  instanceId: "i",
  bootId: "b",
  modules: [{ moduleId: "shop", asks: 7, state: { any: "thing" } }],
};

describe("a datagram", () => {
  test("is read, and may say more than we know", () => {
    const said = { ...BEAT, news: true };
    expect(parseDatagram(JSON.stringify(said))).toEqual({ ok: true, value: BEAT });
  });

  test.each([
    ["no JSON", "{"],
    ["null", "null"],
    ["an unknown kind", JSON.stringify({ ...BEAT, kind: "bye" })],
    ["number 0", JSON.stringify({ ...BEAT, number: 0 })],
    ["an epoch as text", JSON.stringify({ ...BEAT, modules: [{ moduleId: "shop", asks: "7" }] })],
    ["an epoch beyond 2^53", JSON.stringify({ ...BEAT, modules: [{ moduleId: "m", asks: 2e16 }] })],
    ["a path for a name", JSON.stringify({ ...BEAT, modules: [{ moduleId: "../x", asks: 1 }] })],
    ["too many modules", JSON.stringify({ ...BEAT, modules: Array(17).fill(BEAT.modules[0]) })],
    ["too much", JSON.stringify({ ...BEAT, filler: "x".repeat(9_000) })],
  ])("is malformed with %s", (_, text) => {
    expect(parseDatagram(text)).toEqual({ ok: false, error: "malformed" });
  });

  test("never throws, whatever arrives", () => {
    const parses = (text: string): boolean => parseDatagram(text).ok;
    fc.assert(fc.property(fc.string(), (text) => !parses(text)));
    fc.assert(fc.property(fc.json(), (text) => !parses(text)));
  });
});

test("modules are shared out over datagrams in order, none too long, none lost", () => {
  const modules = fc.array(fc.string({ maxLength: 1_000 }), { maxLength: 60 });
  fc.assert(
    fc.property(modules, (all) => {
      const packs = packModules(all);
      expect(packs.flat()).toEqual(all);
      expect(packs.length).toBeGreaterThan(0);
      for (const pack of packs) {
        const bytes = pack.reduce((sum, each) => sum + JSON.stringify(each).length, 0);
        expect(pack.length <= 1 || (bytes <= 1_200 && pack.length <= 16)).toBe(true);
      }
    }),
  );
});
