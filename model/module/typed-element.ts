import { assert } from "../shared/assert.ts";
import type { AnyAttribute, Attribute, ElementSpec, Support } from "./elements/element.ts";
import { MACRO } from "./elements/service.ts";
import type { Macros } from "./macros.ts";
import { didYouMean, type ProblemCollector, quote } from "./problem.ts";
import type { XmlAttribute, XmlElement } from "./xml.ts";

/** How a file is read. */
export type Reading = {
  readonly problems: ProblemCollector;
  readonly macros: Macros;
  /** On a node every macro has to be known; elsewhere its environment may still define it. */
  readonly isOnNode: boolean;
};

/** `sound`: of its type. `later`: a macro only a node knows. `wrong`: reported already. */
type AttributeText = {
  readonly state: "sound" | "later" | "wrong";
  readonly text: string;
  readonly offset: number;
};

/** An element of the file whose names and values the table has judged. */
export class TypedElement {
  readonly spec: ElementSpec;
  readonly offset: number;
  readonly children: readonly TypedElement[];
  /** Its text after expansion. */
  readonly text: string;
  readonly #textOffset: number;
  readonly #isTextAsWritten: boolean;
  readonly #texts: ReadonlyMap<string, AttributeText>;

  constructor(
    spec: ElementSpec,
    xml: XmlElement,
    text: string,
    texts: ReadonlyMap<string, AttributeText>,
    children: readonly TypedElement[],
  ) {
    this.spec = spec;
    this.offset = xml.offset;
    this.text = text;
    this.#textOffset = xml.textOffset;
    this.#isTextAsWritten = text === xml.text;
    this.#texts = texts;
    this.children = children;
  }

  /** The value, or what stands for it where it is absent, wrong or not yet known. */
  read<T>(attribute: Attribute<T>): T {
    const given = this.#texts.get(attribute.name);
    if (given === undefined) return attribute.absent();
    const parsed = attribute.type.parse(given.text);
    if (parsed.ok) return parsed.value;
    assert(given.state !== "sound", `${attribute.name} was judged before`);
    return given.state === "later" ? attribute.type.placeholder(given.text) : attribute.absent();
  }

  has(attribute: AnyAttribute): boolean {
    return this.#texts.has(attribute.name);
  }

  /** As written, macros expanded; empty where it is absent. */
  expandedText(attribute: AnyAttribute): string {
    return this.#texts.get(attribute.name)?.text ?? "";
  }

  /** Does `read` give what the file or its default says? Else rules about it have nothing to say. */
  isSound(attribute: AnyAttribute): boolean {
    const given = this.#texts.get(attribute.name);
    return given === undefined ? !attribute.isRequired : given.state === "sound";
  }

  /** Where its value stands, or else the element. */
  offsetOf(attribute: AnyAttribute): number {
    return this.#texts.get(attribute.name)?.offset ?? this.offset;
  }

  /** Where a place of `text` stands in the file; its beginning where macros changed the text. */
  textOffset(index: number): number {
    return this.#textOffset + (this.#isTextAsWritten ? index : 0);
  }

  childrenOf(spec: ElementSpec): readonly TypedElement[] {
    return this.children.filter((child) => child.spec === spec);
  }
  child(spec: ElementSpec): TypedElement | null {
    return this.childrenOf(spec)[0] ?? null;
  }
}

/** Judges one element and all below it by its row. All that is wrong is reported. */
export function typeElement(
  xml: XmlElement,
  spec: ElementSpec,
  reading: Reading,
  isQuiet = false,
): TypedElement {
  const isSilent = warnOfSupport(`<${spec.name}>`, xml.offset, spec, reading, isQuiet);
  const texts = typeAttributes(xml, spec, reading, isSilent);
  const children = typeChildren(xml, spec, reading, isSilent);
  const typed = new TypedElement(spec, xml, typeText(xml, spec, reading), texts, children);
  if (spec === MACRO) defineMacro(typed, reading);
  return typed;
}

/** True: a warning was given here or above, and more of them below would say the same. */
function warnOfSupport(
  what: string,
  offset: number,
  { support, why }: { support: Support; why: string },
  { problems }: Reading,
  isQuiet: boolean,
): boolean {
  if (isQuiet || support === "acted") return isQuiet;
  const verdict = support === "ignored" ? "is ignored" : "is understood but not acted on yet";
  problems.warn(offset, `${what} ${verdict}${why === "" ? "" : `: ${why}`}`);
  return true;
}

function typeAttributes(
  xml: XmlElement,
  spec: ElementSpec,
  reading: Reading,
  isQuiet: boolean,
): ReadonlyMap<string, AttributeText> {
  const texts = new Map<string, AttributeText>();
  for (const given of xml.attributes.values()) {
    const known = Object.hasOwn(spec.attributes, given.name);
    const attribute = known ? spec.attributes[given.name] : undefined;
    if (attribute === undefined) {
      const hint = didYouMean(given.name, Object.keys(spec.attributes));
      const message = `<${spec.name}> has no attribute ${quote(given.name)}${hint}`;
      reading.problems.error(given.nameOffset, message);
      continue;
    }
    const what = `attribute ${quote(given.name)} of <${spec.name}>`;
    warnOfSupport(what, given.nameOffset, attribute, reading, isQuiet);
    texts.set(given.name, typeValue(given, attribute, spec, reading));
  }
  for (const attribute of Object.values(spec.attributes)) {
    if (!attribute.isRequired || xml.attributes.has(attribute.name)) continue;
    const message = `<${spec.name}> needs attribute ${quote(attribute.name)}`;
    reading.problems.error(xml.offset, message);
  }
  return texts;
}

function typeValue(
  given: XmlAttribute,
  attribute: AnyAttribute,
  spec: ElementSpec,
  reading: Reading,
): AttributeText {
  const offset = given.valueOffset;
  const expanded = expand(given.value, offset, reading);
  if (expanded === null) return { state: "wrong", text: "", offset };
  const { text, isComplete } = expanded;
  const parsed = attribute.type.parse(text);
  if (parsed.ok) return { state: isComplete ? "sound" : "later", text, offset };
  if (!isComplete) return { state: reading.isOnNode ? "wrong" : "later", text, offset };
  const hint = didYouMean(text, attribute.type.words ?? []);
  const from = text === given.value ? "" : ` (from ${quote(given.value)})`;
  const message = `<${spec.name} ${given.name}>: ${quote(text)}${from} ${parsed.error}${hint}`;
  reading.problems.error(offset, message);
  return { state: "wrong", text, offset };
}

function expand(
  written: string,
  offset: number,
  { macros, problems, isOnNode }: Reading,
): { text: string; isComplete: boolean } | null {
  const expanded = macros.expand(written);
  if (expanded === null) {
    problems.error(offset, "macros make this value too long");
    return null;
  }
  for (const name of expanded.unresolved) {
    if (problems.isFull) break;
    const message = `no macro and no variable of the environment is named ${quote(name)}`;
    if (isOnNode) problems.error(offset, `${message}${didYouMean(name, macros.names)}`);
    else problems.warn(offset, `${message} here, the node's environment has to define it`);
  }
  return { text: expanded.text, isComplete: expanded.unresolved.length === 0 };
}

function typeChildren(
  xml: XmlElement,
  spec: ElementSpec,
  reading: Reading,
  isQuiet: boolean,
): readonly TypedElement[] {
  const typed: TypedElement[] = [];
  const counts = new Map<ElementSpec, number>();
  for (const childXml of xml.children) {
    const child = spec.children.find(({ spec: { name } }) => name === childXml.name);
    if (child === undefined) {
      const hint = didYouMean(
        childXml.name,
        spec.children.map((known) => known.spec.name),
      );
      const message = `<${spec.name}> has no element ${quote(childXml.name)}${hint}`;
      reading.problems.error(childXml.offset, message);
      continue;
    }
    const count = (counts.get(child.spec) ?? 0) + 1;
    counts.set(child.spec, count);
    if (count > child.max) {
      // Told once; what is too many is not read, so that nothing is compared with all the rest.
      if (count > child.max + 1) continue;
      const times = child.max === 1 ? "once" : `${child.max} times`;
      const message = `<${spec.name}> may have <${childXml.name}> only ${times}`;
      reading.problems.error(childXml.offset, message);
      continue;
    }
    typed.push(typeElement(childXml, child.spec, reading, isQuiet));
  }
  for (const { spec: missing, min } of spec.children) {
    if ((counts.get(missing) ?? 0) >= min) continue;
    reading.problems.error(xml.offset, `<${spec.name}> needs a <${missing.name}>`);
  }
  return typed;
}

function typeText(xml: XmlElement, spec: ElementSpec, reading: Reading): string {
  if (spec.hasText) return expand(xml.text, xml.textOffset, reading)?.text ?? "";
  if (xml.text.trim() !== "") {
    const blanks = xml.text.length - xml.text.trimStart().length;
    reading.problems.error(xml.textOffset + blanks, `<${spec.name}> has no text`);
  }
  return "";
}

function defineMacro(typed: TypedElement, { macros, problems }: Reading): void {
  const { name, value } = MACRO.attributes;
  if (!typed.isSound(name) || !typed.has(value)) return;
  const isNew = macros.define(typed.read(name), typed.read(value));
  if (isNew) return;
  const message = `macro ${quote(typed.read(name))} is defined again, the new value holds from here`;
  problems.warn(typed.offset, message);
}
