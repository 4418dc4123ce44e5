import { describe, expect, test } from "vitest";
import { parseClusterXml, writeClusterXml } from "./cluster-xml.ts";

const lan = (attributes: string, ...nodes: string[]) =>
  `<lan ${attributes}>${nodes.map((node) => `<node name="${node}" addr="${node}.example"/>`).join("")}</lan>`;
const cluster = (...lans: string[]) => `<cluster><lans>${lans.join("\n")}</lans></cluster>`;
const errorsOf = (xml: string) => {
  const parsed = parseClusterXml(xml);
  return parsed.ok ? [] : parsed.error.map(({ message }) => message);
};

describe("a cluster", () => {
  test.each<[string, string]>([
    [cluster(lan('name="a"', "n1")), "at least two nodes"],
    [
      cluster(lan('name="a"', "n1"), lan('name="b"', "n2")),
      "at least one <lan> has to include all",
    ],
    [cluster(lan('name="a"', "n1", "n2"), lan('name="a"', "n1", "n2")), 'has name "a" already'],
    [
      cluster(lan('name="a" command="on"', "n1", "n2"), lan('name="b" command="on"', "n1", "n2")),
      "only one <lan> can be the one of commands",
    ],
    [
      cluster(lan('name="a"', "n1", "n2"), lan('name="b" command="on"', "n1")),
      'the <lan> of commands has to include "n2"',
    ],
    ["<safe/>", "the file has to be one <cluster>"],
    [`${cluster(lan('name="a"', "n1", "n2"))}<x/>`, "the file has to be one <cluster>"],
    ["<cluster/>", "<cluster> needs a <lans>"],
    ["", "must contain a root element"],
  ])("%s is refused", (xml, message) => {
    expect(errorsOf(xml)).toEqual([expect.stringContaining(message)]);
  });
  test("sends its commands over the first network, unless another is marked", () => {
    const both = (attributes: string) =>
      parseClusterXml(cluster(lan('name="a"', "n1", "n2"), lan(attributes, "n1", "n2")));
    const marks = (parsed: ReturnType<typeof both>) =>
      parsed.ok && parsed.value.config.lans.map(({ isCommand }) => isCommand);
    expect(marks(both('name="b"'))).toEqual([true, false]);
    expect(marks(both('name="b" command="on"'))).toEqual([false, true]);
  });
  test("is written as it is read, IPv6 in brackets", () => {
    const xml = cluster(
      lan('name="a"', "n1", "n2"),
      '<lan name="b" command="on"><node name="n1" addr="[2001:db8::1]" laddr="10.0.0.1"/><node name="n2" addr="192.0.2.2"/></lan>',
    );
    const parsed = parseClusterXml(xml);
    if (!parsed.ok) throw new Error("the cluster is good");
    const written = writeClusterXml(parsed.value.config);
    expect(written).toContain('addr="[2001:db8::1]"');
    expect(parseClusterXml(written)).toMatchObject({ value: { config: parsed.value.config } });
  });
});
