import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../../test/setup/length.ts";
import type { ModuleConfig } from "../config.ts";
import type { ElementCase } from "../elements/case.ts";
import { inMirror, USER_CASES } from "../elements/user-cases.ts";
import { parseUserConfig } from "../parse-user-config.ts";
import { writeUserConfig } from "./write-user-config.ts";

function configOf(xml: string): ModuleConfig | null {
  const parsed = parseUserConfig(xml);
  return parsed.ok ? parsed.value.config : null;
}
const escaped = (text: string) => text.replace(/[&<"]/gu, (found) => `&#${found.charCodeAt(0)};`);
const fileOf = (one: ElementCase<ModuleConfig>, names: readonly string[]) => {
  const given = Object.fromEntries(
    names.map((name) => [name, one.attributes[name]?.written ?? ""]),
  );
  const all = Object.entries({ ...one.base, ...given });
  return one.wrap(all.map(([name, value]) => ` ${name}="${escaped(value)}"`).join(""));
};

describe("what is written is read back the same", () => {
  test.each(Object.entries(USER_CASES))("%s, with any of its attributes", (_, one) => {
    const subsets = fc.subarray(Object.keys(one.attributes));
    fc.assert(
      fc.property(subsets, (names) => {
        const config = configOf(fileOf(one, names));
        // Some attributes exclude each other: such a file is refused, and there is nothing to write.
        fc.pre(config !== null);
        expect(configOf(writeUserConfig(config))).toEqual(config);
      }),
      { numRuns: cases(20) },
    );
  });
  test("whatever a value is made of", () => {
    const texts = fc.string({ unit: "grapheme", maxLength: 50 });
    fc.assert(
      fc.property(texts, texts, (value, other) => {
        const config = configOf(
          inMirror(`<user><var name="A" value="1"/><var name="B" value="2"/></user>`),
        );
        const plain = [value, other].map((text) => text.replace(/[%\p{Cc}]/gu, ""));
        if (config === null || config.user === null) throw new Error("the file is good");
        const vars = plain.map((text, index) => ({ name: `V${index}`, value: text }));
        const changed = { ...config, user: { ...config.user, vars } };
        expect(configOf(writeUserConfig(changed))).toEqual(changed);
      }),
    );
  });
  test("a rule's text, though it may hold the end of its section", () => {
    const config = configOf(inMirror("<failover><![CDATA[/* ]]]]><![CDATA[> */]]></failover>"));
    expect(config?.failover?.text).toBe("/* ]]> */");
    expect(config && configOf(writeUserConfig(config))).toEqual(config);
  });
  test("defaults are left out", () => {
    const config = configOf(inMirror('<rfs nbrei="6"><replicated dir="/srv/a"/></rfs>'));
    expect(config && writeUserConfig(config)).toBe(
      [
        "<!DOCTYPE safe>",
        "<safe>",
        '  <service mode="mirror">',
        "    <heart>",
        '      <heartbeat name="net"/>',
        "    </heart>",
        "    <rfs>",
        '      <replicated dir="/srv/a"/>',
        "    </rfs>",
        "  </service>",
        "</safe>",
        "",
      ].join("\n"),
    );
  });
});
