/**
 * The table of every element and attribute of `userconfig.xml` and `cluster.xml`, in one file per
 * part. It is the only place that knows names, types, units, defaults and what we do with them:
 * parser, writer, documentation (docs/MODULES.md) and tests all walk it. To add an attribute, add
 * its row, then read it in `build-*.ts`, write it in `write-*.ts`, and give it a case in
 * `test-cases.ts`: a test names the row that lacks one.
 */
import { assert } from "../../shared/assert.ts";
import type { ValueType } from "../value-type.ts";

/**
 * `acted`: the product does what it says. `understood`: read and kept, not acted on yet, and the
 * reader is told so. `ignored`: obsolete or without meaning here, and the reader is told so.
 */
export type Support = "acted" | "understood" | "ignored";

/** One attribute. `T` is what its reader gets, null included where it may be absent. */
export class Attribute<T> {
  readonly type: ValueType<T>;
  readonly sentence: string;
  readonly isRequired: boolean;
  /** As it would be written in the file; null where there is none. */
  readonly defaultText: string | null;
  readonly #absent: () => T;
  #name = "";
  #support: Support = "acted";
  #why = "";

  constructor(
    type: ValueType<T>,
    sentence: string,
    isRequired: boolean,
    defaultText: string | null,
    absent: () => T,
  ) {
    this.type = type;
    this.sentence = sentence;
    this.isRequired = isRequired;
    this.defaultText = defaultText;
    this.#absent = absent;
  }

  get name(): string {
    return this.#name;
  }
  get support(): Support {
    return this.#support;
  }
  /** Ends the warning of what is not acted on; may be empty. */
  get why(): string {
    return this.#why;
  }
  /** What its reader gets where the file does not give it. */
  absent(): T {
    return this.#absent();
  }
  /** Read and kept, not acted on yet. */
  understood(why = ""): this {
    [this.#support, this.#why] = ["understood", why];
    return this;
  }
  /** Obsolete, or without meaning here. */
  ignored(why = ""): this {
    [this.#support, this.#why] = ["ignored", why];
    return this;
  }
  /** Called once, by the element that it belongs to. */
  setName(name: string): void {
    assert(this.#name === "", `attribute ${name} belongs to one element`);
    this.#name = name;
  }
}
/** An attribute whose type does not matter to whoever walks the table. */
export type AnyAttribute = Pick<
  Attribute<never>,
  "name" | "sentence" | "isRequired" | "defaultText" | "support" | "why"
> & {
  readonly type: Pick<ValueType<never>, "description" | "examples" | "words"> & {
    parse(text: string): { ok: true; value: unknown } | { ok: false; error: string };
  };
};

/** Must be given. */
export const required = <T>(type: ValueType<T>, sentence: string): Attribute<T> =>
  new Attribute(type, sentence, true, null, () => type.placeholder(""));

/** May be left out; `defaultText` is what then holds, written as in the file. */
export function defaulted<T>(
  type: ValueType<T>,
  defaultText: string,
  sentence: string,
): Attribute<T> {
  const parsed = type.parse(defaultText);
  assert(parsed.ok, `the default ${defaultText} has its own type`);
  return new Attribute(type, sentence, false, defaultText, () => parsed.value);
}

/** May be left out; its reader then gets null and has a rule of its own, told in the sentence. */
export function optional<T>(type: ValueType<T>, sentence: string): Attribute<T | null> {
  const nullable: ValueType<T | null> = {
    ...type,
    format: (value) => (value === null ? "" : type.format(value)),
    placeholder: (text) => type.placeholder(text),
  };
  return new Attribute<T | null>(nullable, sentence, false, null, () => null);
}

type Attributes = Readonly<Record<string, AnyAttribute & { setName(name: string): void }>>;
/** How often a child may stand in its parent. */
export type Child = { readonly spec: ElementSpec; readonly min: number; readonly max: number };
/** One row of the table with its attributes and children, whatever the attributes are. */
export type ElementSpec = {
  readonly name: string;
  readonly sentence: string;
  readonly support: Support;
  readonly why: string;
  readonly attributes: Readonly<Record<string, AnyAttribute>>;
  readonly children: readonly Child[];
  /** May it hold text? Only `<failover>` does. */
  readonly hasText: boolean;
};

/** Makes one element. Its attributes learn their names from their keys. */
export function element<A extends Attributes>(
  name: string,
  sentence: string,
  attributes: A,
  children: readonly Child[] = [],
  options: { hasText?: boolean; support?: Support; why?: string } = {},
): ElementSpec & { readonly attributes: A } {
  for (const [key, attribute] of Object.entries(attributes)) attribute.setName(key);
  const { hasText = false, support = "acted", why = "" } = options;
  return { name, sentence, support, why, attributes, children, hasText };
}

/** At most this many children of one kind: far more than anybody writes by hand. */
const CHILDREN_MAX = 1000;
export const exactlyOne = (spec: ElementSpec): Child => ({ spec, min: 1, max: 1 });
export const atMostOne = (spec: ElementSpec): Child => ({ spec, min: 0, max: 1 });
export const any = (spec: ElementSpec): Child => ({ spec, min: 0, max: CHILDREN_MAX });
export const atLeastOne = (spec: ElementSpec): Child => ({ spec, min: 1, max: CHILDREN_MAX });

/** An element of the table with where it stands, e.g. `service/check/tcp/to`. */
export type Row = { readonly path: string; readonly spec: ElementSpec };

/** Every element under `root`, itself first, in the order of the table. */
export function rowsOf(root: ElementSpec, parentPath = ""): readonly Row[] {
  const path = parentPath === "" ? root.name : `${parentPath}/${root.name}`;
  return [{ path, spec: root }, ...root.children.flatMap(({ spec }) => rowsOf(spec, path))];
}
