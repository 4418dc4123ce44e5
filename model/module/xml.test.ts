import { describe, expect, test } from "vitest";
import { parseUserConfig } from "./parse-user-config.ts";

const GOOD = '<service mode="light"/>';
const errorsOf = (xml: string) => {
  const parsed = parseUserConfig(xml);
  return parsed.ok ? [] : parsed.error.map(({ message }) => message);
};

test("comments, CDATA, a declaration, character references and an emoji are plain XML", () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE safe>\n<!-- 😀 <safe> -->\n<safe><macro name="a" value="&#x1F600;&amp;&lt;"/>${GOOD}</safe>`;
  const parsed = parseUserConfig(xml);
  expect(parsed.ok && parsed.value.config.macros).toEqual([{ name: "a", value: "😀&<" }]);
});

describe("hostile XML is refused", () => {
  const lol = '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">';
  test.each<[string, string, string]>([
    [
      "a file",
      `<!DOCTYPE safe [<!ENTITY x SYSTEM "file:///etc/passwd">]><safe>${GOOD}</safe>`,
      "no DTD",
    ],
    ["a URL", `<!DOCTYPE safe SYSTEM "http://192.0.2.1/x.dtd"><safe>${GOOD}</safe>`, "no DTD"],
    ["public", `<!DOCTYPE safe PUBLIC "x" "y"><safe>${GOOD}</safe>`, "no DTD"],
    ["a parameter entity", `<!DOCTYPE safe [<!ENTITY % x "y"> %x;]><safe>${GOOD}</safe>`, "no DTD"],
    ["entities of entities", `<!DOCTYPE safe [${lol}]><safe>&b;</safe>`, "no DTD"],
    ["another name", `<!DOCTYPE html><safe>${GOOD}</safe>`, "no DTD"],
    ["an unknown entity", `<safe>&nope;${GOOD}</safe>`, "undefined entity"],
    ["XInclude", `<safe><xi:include href="/etc/passwd"/>${GOOD}</safe>`, 'no element "xi:include"'],
    ["a stylesheet", `<?xml-stylesheet href="x"?><safe>${GOOD}</safe>`, "processing instruction"],
    ["depth", `${"<a>".repeat(51)}${"</a>".repeat(51)}`, "nested deeper than 50"],
    ["elements", `<safe>${"<macro/>".repeat(10_001)}</safe>`, "more than 10000"],
    [
      "attributes",
      `<safe ${Array.from({ length: 10_001 }, (_, i) => `a${i}=""`).join(" ")}/>`,
      "more than 10000",
    ],
    [
      "a value",
      `<safe><macro name="a" value="${"x".repeat(65_537)}"/></safe>`,
      "longer than 65536",
    ],
    ["a text", `<safe>${"x".repeat(65_537)}</safe>`, "longer than 65536"],
    ["size", `<safe>${" ".repeat(1024 * 1024)}</safe>`, "more than 1048576 characters"],
    ["a duplicate attribute", '<safe><service mode="light" mode="farm"/></safe>', "twice"],
    ["__proto__", `<safe><service __proto__="x" mode="light"/></safe>`, "no attribute"],
    ["constructor", "<safe><constructor/></safe>", 'no element "constructor"'],
    ["another encoding", `<?xml version="1.0" encoding="UTF-16"?><safe>${GOOD}</safe>`, "UTF-8"],
    ["XML 1.1", `<?xml version="1.1"?><safe>${GOOD}</safe>`, "version"],
    ["NUL", `<safe>\u0000${GOOD}</safe>`, "disallowed character"],
    ["a reference to NUL", `<safe>&#0;${GOOD}</safe>`, "not well-formed"],
    ["unclosed", `<safe>${GOOD}`, "unclosed tag"],
    ["two roots", `<safe>${GOOD}</safe><safe>${GOOD}</safe>`, "cannot stand after <safe>"],
    ["text behind", `<safe>${GOOD}</safe>x`, "text outside of any element"],
    ["a raw <", '<safe a="<"/>', "disallowed character"],
    ["nothing", "", "must contain a root element"],
    ["another document", "<html/>", "cannot stand at the top"],
  ])("%s", (_, xml, message) => {
    expect(errorsOf(xml).join("\n")).toContain(message);
  });

  test.each([
    "-1",
    "1e309",
    "99999999999999999999",
    "65536",
    "0x10",
    "NaN",
    "١٢",
    "1.5",
    "+1",
    " 1",
    "0",
    "00080",
  ])("%s is no port", (port) => {
    const xml = `<safe><service mode="light"><check><tcp ident="a" when="both"><to addr="a" port="${port}"/></tcp></check></service></safe>`;
    expect(errorsOf(xml)).toHaveLength(1);
  });
  test("a command in a value stays a text, and is refused where a name is due", () => {
    const command = "$(reboot); `reboot`";
    const xml = (name: string) =>
      `<safe><service mode="light"><user><var name="${name}" value="${command}"/></user></service></safe>`;
    const parsed = parseUserConfig(xml("A"));
    expect(parsed.ok && parsed.value.config.user?.vars).toEqual([{ name: "A", value: command }]);
    expect(errorsOf(xml(command))).toHaveLength(1);
  });
  test("a file of the size limit is judged in time", () => {
    const xml = `<safe>${"<macro>".repeat(9000)}`;
    expect(errorsOf(xml)).toHaveLength(1);
    expect(errorsOf(`<safe a="${"%a".repeat(30_000)}"/>`)).not.toHaveLength(0);
  });
});
