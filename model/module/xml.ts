import { SaxesParser } from "saxes";
import { assert } from "../shared/assert.ts";
import { type ProblemCollector, quote } from "./problem.ts";

/** One attribute, as written (entities resolved, macros not). Offsets are into the text. */
export type XmlAttribute = {
  readonly name: string;
  readonly value: string;
  readonly nameOffset: number;
  readonly valueOffset: number;
};
/** One element with where it begins. Text is only what stands directly in it. */
export type XmlElement = {
  readonly name: string;
  readonly offset: number;
  /** A Map: an attribute named `__proto__` is then a name like any other. */
  readonly attributes: ReadonlyMap<string, XmlAttribute>;
  readonly children: readonly XmlElement[];
  readonly text: string;
  readonly textOffset: number;
};
type OpenElement = {
  name: string;
  offset: number;
  attributes: Map<string, XmlAttribute>;
  children: XmlElement[];
  text: string;
  textOffset: number;
};

/** A configuration is written by a person; beyond these it is a mistake or an attack. */
const XML_LIMITS = {
  textLengthMax: 1024 * 1024,
  depthMax: 50,
  /** Elements and attributes together. */
  nodesMax: 10_000,
  valueLengthMax: 64 * 1024,
} as const;

/** Drops a byte order mark and makes every line end `\n`, as XML 1.0 section 2.11 says. */
export function normalizeText(text: string): string {
  return text.replace(/^\ufeff/u, "").replace(/\r\n?/gu, "\n");
}

/**
 * Reads a normalised text into its top elements, in order. Well-formedness is reported once: what
 * follows the first such error is a guess. The caller judges which top elements may stand there,
 * because published module files have `<macro>` before `<safe>`, which is not one root.
 * No entity but the five of XML is ever expanded, no DOCTYPE but the bare one accepted, and
 * nothing is ever fetched.
 */
export function parseXml(text: string, problems: ProblemCollector): readonly XmlElement[] {
  if (text.length > XML_LIMITS.textLengthMax) {
    problems.error(0, `the file has more than ${XML_LIMITS.textLengthMax} characters`);
    return [];
  }
  return new XmlReader(text, problems).read();
}

/** saxes speaks of these where more than one top element stands; here the caller judges that. */
const ROOT_MESSAGES = ["documents may contain only one root.", "text data outside of root node."];

class XmlReader {
  readonly #text: string;
  readonly #problems: ProblemCollector;
  readonly #parser = new SaxesParser({ xmlns: false, position: true });
  readonly #top: XmlElement[] = [];
  readonly #open: OpenElement[] = [];
  #nodes = 0;
  #attributeSearchFrom = 0;
  #lastPosition = 0;
  #isStopped = false;

  constructor(text: string, problems: ProblemCollector) {
    this.#text = text;
    this.#problems = problems;
  }

  read(): readonly XmlElement[] {
    const parser = this.#parser;
    parser.on("error", (error) => this.#onSyntaxError(error.message));
    parser.on("xmldecl", ({ version, encoding }) => this.#onDeclaration(version, encoding));
    parser.on("doctype", (doctype) => this.#onDoctype(doctype));
    parser.on("processinginstruction", ({ target }) =>
      this.#stop(this.#before("<?"), `processing instruction ${quote(target)} is not accepted`),
    );
    parser.on("opentagstart", ({ name }) => this.#onOpen(name));
    parser.on("attribute", ({ name, value }) => this.#onAttribute(name, value));
    parser.on("closetag", () => this.#onClose());
    parser.on("text", (data) => this.#onText(data));
    parser.on("cdata", (data) => this.#onText(data));
    parser.on("comment", () => this.#moveOn());
    parser.write(this.#text).close();
    return this.#top;
  }

  #stop(offset: number, message: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#problems.error(offset, message);
  }

  #onSyntaxError(message: string): void {
    const plain = message.replace(/^\d+:\d+: /u, "");
    if (ROOT_MESSAGES.includes(plain)) return;
    const offset = Math.max(0, this.#parser.position - 1);
    this.#stop(Math.min(offset, this.#text.length), `not well-formed XML: ${plain}`);
  }

  #onDeclaration(version: string | undefined, encoding: string | undefined): void {
    if (version !== undefined && version !== "1.0") {
      this.#stop(0, `XML version ${quote(version)} is not accepted, only "1.0"`);
    }
    // The bytes were read as UTF-8: another name here means that somebody reads another text.
    if (encoding !== undefined && !/^(utf-?8|us-ascii)$/iu.test(encoding)) {
      this.#stop(0, `encoding ${quote(encoding)} is not accepted, save the file as UTF-8`);
    }
    this.#moveOn();
  }

  #onDoctype(doctype: string): void {
    const offset = this.#before("<!DOCTYPE");
    if (doctype.trim() !== "safe") {
      this.#stop(offset, "only the bare <!DOCTYPE safe> is accepted: no DTD, no entities");
    }
    this.#moveOn();
  }

  #onOpen(name: string): void {
    if (this.#isStopped) return;
    const offset = this.#text.indexOf(`<${name}`, this.#lastPosition);
    const found = offset === -1 ? this.#lastPosition : offset;
    if (this.#open.length >= XML_LIMITS.depthMax) {
      this.#stop(found, `elements are nested deeper than ${XML_LIMITS.depthMax}`);
    }
    this.#count(found);
    const element = { name, offset: found, attributes: new Map(), children: [], text: "" };
    this.#open.push({ ...element, textOffset: found });
    this.#moveOn();
    this.#attributeSearchFrom = this.#parser.position - 1;
  }

  /** The event comes right after the value's closing quote; the name is searched from the last one. */
  #onAttribute(name: string, value: string): void {
    if (this.#isStopped) return;
    const element = this.#open.at(-1);
    assert(element !== undefined, "an attribute stands in an element");
    const nameOffset = this.#text.indexOf(name, this.#attributeSearchFrom);
    const quoteMark = this.#text[this.#parser.position - 1] ?? '"';
    const valueOffset = this.#text.indexOf(quoteMark, nameOffset + name.length) + 1;
    this.#attributeSearchFrom = this.#parser.position;
    this.#count(nameOffset);
    if (value.length > XML_LIMITS.valueLengthMax) {
      this.#stop(valueOffset, `a value is longer than ${XML_LIMITS.valueLengthMax} characters`);
    }
    if (element.attributes.has(name)) {
      this.#stop(nameOffset, `<${element.name}> has attribute ${quote(name)} twice`);
    }
    element.attributes.set(name, { name, value, nameOffset, valueOffset });
    this.#moveOn();
  }

  #onClose(): void {
    if (this.#isStopped) return;
    this.#moveOn();
    const closed = this.#open.pop();
    assert(closed !== undefined, "what closes was open");
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#top.push(closed);
    else parent.children.push(closed);
  }

  #onText(data: string): void {
    if (this.#isStopped) return;
    const start = this.#lastPosition;
    this.#moveOn();
    const element = this.#open.at(-1);
    if (element === undefined) {
      if (data.trim() !== "") this.#stop(this.#firstInk(start), "text outside of any element");
      return;
    }
    if (element.text.trim() === "") {
      // Blanks before a CDATA section are dropped, so that offsets into the text stay true.
      element.text = "";
      element.textOffset = this.#textStart(start, data);
    }
    element.text += data;
    if (element.text.length > XML_LIMITS.valueLengthMax) {
      this.#stop(start, `a text is longer than ${XML_LIMITS.valueLengthMax} characters`);
    }
  }

  /** Where the data itself begins: after `<![CDATA[` when it is a CDATA section. */
  #textStart(from: number, data: string): number {
    const offset = this.#text.indexOf(data, from);
    return offset === -1 ? from : offset;
  }

  #firstInk(from: number): number {
    const offset = this.#text.slice(from).search(/[^\s>]/u);
    return offset === -1 ? from : from + offset;
  }

  #before(opening: string): number {
    return Math.max(0, this.#text.lastIndexOf(opening, this.#parser.position));
  }

  #count(offset: number): void {
    this.#nodes += 1;
    if (this.#nodes > XML_LIMITS.nodesMax) {
      this.#stop(offset, `more than ${XML_LIMITS.nodesMax} elements and attributes`);
    }
  }

  #moveOn(): void {
    this.#lastPosition = Math.max(0, this.#parser.position - 1);
  }
}
