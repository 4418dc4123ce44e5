import type { Attribute, ElementSpec } from "../elements/element.ts";

/** ` name="value"`, or nothing where the file need not say it because it is the default. */
export function given<T>(attribute: Attribute<T>, value: T): string {
  const { type, name, isRequired } = attribute;
  const text = type.format(value);
  const isDefault = !isRequired && text === type.format(attribute.absent());
  return isDefault ? "" : ` ${name}="${escapeXml(text)}"`;
}

/** One element with what stands in it, indented by two. Children are complete elements. */
export function tag(
  spec: ElementSpec,
  attributes: readonly string[],
  children: readonly string[] = [],
): string {
  const opening = `<${spec.name}${attributes.join("")}`;
  if (children.length === 0) return `${opening}/>`;
  const inner = children.flatMap((child) => child.split("\n")).map((line) => `  ${line}`);
  return [`${opening}>`, ...inner, `</${spec.name}>`].join("\n");
}

/** An element around text that is not indented, as a CDATA section. */
export function textTag(spec: ElementSpec, attributes: readonly string[], text: string): string {
  // "]]>" would end the section, so it is split over two: XML 1.0 section 2.7.
  const safe = text.replaceAll("]]>", "]]]]><![CDATA[>");
  return `<${spec.name}${attributes.join("")}><![CDATA[${safe}]]></${spec.name}>`;
}

/** For an attribute value in double quotes. */
const escapeXml = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
