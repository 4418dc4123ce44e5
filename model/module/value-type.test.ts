import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAddress, parseIpv6 } from "./address.ts";
import { nearestWord } from "./suggest.ts";
import { duration, integer, PORT, REGEX, size } from "./value-type.ts";

const read = <T>(parsed: { ok: true; value: T } | { ok: false; error: string }) =>
  parsed.ok ? parsed.value : parsed.error;

describe("durations", () => {
  test.each([
    ["10", 10_000],
    ["10s", 10_000],
    ["1d", 86_400_000],
    ["2h", 7_200_000],
    ["3m", 180_000],
    ["1500ms", 1_500],
    ["2000000us", 2_000],
    ["0", 0],
    ["0ms", 0],
  ])("%s is read in the unit of a bare number, seconds", (text, milliseconds) => {
    expect(read(duration("s").parse(text))).toBe(milliseconds);
  });
  test.each(["500ms", "999999us", "", "s", "1.5s", "-1", "1e3", "0x10", "10 s", "10S", "١s", "1w"])(
    "%s is refused",
    (text) => {
      expect(duration("s").parse(text).ok).toBe(false);
    },
  );
  test("one that would be rounded to 0 is told so", () => {
    expect(read(duration("s").parse("500ms"))).toContain("rounded to 0");
    expect(read(duration("ms").parse("999us"))).toContain("rounded to 0");
  });
  test("no number makes one of more than ten years", () => {
    expect(duration("d").parse("999999999999999").ok).toBe(false);
  });
  test("what is written is read back the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_650 * 86_400_000 }), (milliseconds) => {
        const type = duration("ms");
        return read(type.parse(type.format(milliseconds))) === milliseconds;
      }),
    );
  });
});

describe("numbers", () => {
  test("are plain decimal digits, in range", () => {
    for (const text of [
      "-1",
      "1e309",
      "99999999999999999999",
      "0x10",
      "NaN",
      "١",
      "01",
      "1.0",
      "",
    ]) {
      expect(integer(0, 100).parse(text).ok, text).toBe(false);
    }
    expect(read(integer(-1, 100).parse("-1"))).toBe(-1);
    expect(PORT.parse("0").ok).toBe(false);
    expect(PORT.parse("65536").ok).toBe(false);
    expect(read(PORT.parse("65535"))).toBe(65_535);
  });
  test("of a size are bytes once read", () => {
    expect(read(size("KB", 1, 10).parse("2"))).toBe(2048);
    expect(size("KB", 1, 10).format(2048)).toBe("2");
  });
});

describe("addresses", () => {
  test.each(["192.0.2.1", "node-1.example.com", "n_1", "2001:db8::1", "[::1]", "::ffff:192.0.2.1"])(
    "%s is one",
    (text) => {
      expect(parseAddress(text).ok).toBe(true);
    },
  );
  test.each([
    "",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "0x7f.1",
    "1.2.3.0x4",
    "127.1",
    "a..b",
    "-a",
    "a b",
    ":::",
    "1::2::3",
    "12345::",
    "[192.0.2.1",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
  ])("%s is none", (text) => {
    expect(parseAddress(text).ok).toBe(false);
  });
  test("IPv6 has its sixteen bytes", () => {
    expect(parseIpv6("1:2:3:4:5:6:7:8")).toEqual([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
    expect(parseIpv6("ff00::1")).toEqual([255, ...Array.from({ length: 14 }, () => 0), 1]);
  });
});

test("a regex has the other half of each bracket", () => {
  for (const good of ["a", "(a|b)[0-9]+", "[]a]", "[^]]", "\\(", "[(]"]) {
    expect(REGEX.parse(good).ok, good).toBe(true);
  }
  for (const bad of ["", "(", ")", "a)(", "[a", "<a>", "x".repeat(513)]) {
    expect(REGEX.parse(bad).ok, bad).toBe(false);
  }
});

test("a suggestion is near, or there is none", () => {
  const known = ["timeout", "pulse", "port"];
  expect(nearestWord("timeoutt", known)).toBe("timeout");
  expect(nearestWord("tiemout", known)).toBe("timeout");
  expect(nearestWord("prot", known)).toBe("port");
  expect(nearestWord("elephant", known)).toBeNull();
  expect(nearestWord("x".repeat(100_000), known)).toBeNull();
});
