import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRules } from "./parse-rules.ts";
import { parseFailoverText } from "./text.ts";

const resource = (name: string, id: string, scope: "local" | "remote" = "local") => ({
  kind: "resource",
  resource: { scope, class: name, id },
});
const isDown = (name: string, id: string) => ({
  kind: "equal",
  left: resource(name, id),
  right: { kind: "state", state: "down" },
});

describe("rules", () => {
  test("of the defaults are read", () => {
    const text = `module_failure: if (module.? == down) then wait();
      ip_failure: if ( ip.* == down ) then stopstart(); /* all of
      them */ interface_failure: if (intf.192.168.0.0 == down) then wait();`;
    expect(parseRules(text)).toEqual({
      errors: [],
      rules: [
        { label: "module_failure", when: isDown("module", "?"), action: { kind: "wait" } },
        { label: "ip_failure", when: isDown("ip", "*"), action: { kind: "stopstart" } },
        {
          label: "interface_failure",
          when: isDown("intf", "192.168.0.0"),
          action: { kind: "wait" },
        },
      ],
    });
  });
  test("bind ! before &&, and && before ||", () => {
    const [rule] = parseRules(
      "a: if (! tcp.a == down && remote.ping.b != up || cluster()) then swap();",
    ).rules;
    expect(rule?.when).toEqual({
      kind: "or",
      terms: [
        {
          kind: "and",
          terms: [
            { kind: "not", term: isDown("tcp", "a") },
            {
              kind: "differ",
              left: resource("ping", "b", "remote"),
              right: { kind: "state", state: "up" },
            },
          ],
        },
        { kind: "call", name: "cluster" },
      ],
    });
  });
  test("may assign, as the vendor's own do", () => {
    const [rule] = parseRules("a: if (heartbeat.* == down) then rfs.uptodate=up;").rules;
    expect(rule?.action).toEqual({
      kind: "assign",
      resource: { scope: "local", class: "rfs", id: "uptodate" },
      state: "up",
    });
  });
  test("in Lua are noticed and not read", () => {
    const text = 'a: if (tcp.x == down) then stop();\n--Lua Rules\nos.execute("reboot")';
    expect(parseFailoverText(text)).toMatchObject({
      hasLua: true,
      errors: [],
      rules: [{ label: "a" }],
    });
  });
});

describe("an error in a rule", () => {
  test.each([
    ["if (tcp.x == down) then stop();", 3, 'expected ":", found "("'],
    ["a: if tcp.x == down then stop();", 6, 'expected "("'],
    ["a: if (tcp.x) then stop();", 12, "has to be compared"],
    ["a: if (tcp.x == dwn) then stop();", 16, 'did you mean "down"?'],
    ["a: if (down == up) then stop();", 7, "one side has to be a resource"],
    ["a: if (tcp.x == down) then stpo();", 27, 'did you mean "stop"?'],
    ["a: if (tcp.x == down) then stop()", 33, 'expected ";", found the end'],
    ["a: if (system() == down) then stop();", 7, "only cluster()"],
    ["a: if (tcp.x == down) then tcp.x=broken;", 33, "is not a state"],
    ["a: if (tcp.x == down & tcp.y == down) then stop();", 21, 'expected ")", found "&"'],
    ["/* a", 0, "a rule begins with its label"],
  ])("%s has its place", (text, offset, message) => {
    const { errors } = parseRules(text);
    expect(errors).toEqual([{ offset, message: expect.stringContaining(message) }]);
  });
  test("does not hide the next one, nor the rules between", () => {
    const parsed = parseRules(
      "a: if (x) then stop(); b: if (tcp.x == down) then stop(); b: if (tcp.y == up) then wait(); c: if;",
    );
    expect(parsed.rules.map(({ label }) => label)).toEqual(["b"]);
    expect(parsed.errors.map(({ offset }) => offset)).toEqual([7, 58, 96]);
  });
});

describe("hostile rules", () => {
  test("cannot be nested without end", () => {
    const text = `a: if (${"(".repeat(10_000)}tcp.x == down${")".repeat(10_000)}) then stop();`;
    expect(parseRules(text).errors[0]?.message).toContain("nested deeper");
    expect(
      parseRules(`a: if (${"!".repeat(10_000)}tcp.x == down) then stop();`).errors,
    ).toHaveLength(1);
  });
  test("of every text end in rules or errors, soon", () => {
    const pieces = fc.constantFrom(
      "a",
      ":",
      "if",
      "(",
      ")",
      "==",
      "!",
      "&&",
      "tcp.x",
      "down",
      ";",
      "then",
      "stop",
      "/*",
      "*/",
      "=",
      "💥",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 200 }), (words) => {
        const { rules, errors } = parseRules(words.join(" "));
        return rules.length <= 500 && errors.length <= 50;
      }),
    );
    expect(parseRules("/*".repeat(32_000)).errors).toHaveLength(1);
  });
});
