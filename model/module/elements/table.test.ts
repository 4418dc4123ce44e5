import { describe, expect, test } from "vitest";
import type { Result } from "../../shared/result.ts";
import { parseClusterXml } from "../cluster-xml.ts";
import { parseUserConfig } from "../parse-user-config.ts";
import type { Problem } from "../problem.ts";
import type { ElementCase } from "./case.ts";
import { CLUSTER } from "./cluster.ts";
import { CLUSTER_CASES } from "./cluster-cases.ts";
import { type AnyAttribute, type ElementSpec, type Row, rowsOf } from "./element.ts";
import { SAFE } from "./service.ts";
import { USER_CASES } from "./user-cases.ts";

type Parse<C> = (
  xml: string,
) => Result<{ config: C; warnings: readonly Problem[] }, readonly Problem[]>;

describeTable("userconfig.xml", SAFE, USER_CASES, (xml) => parseUserConfig(xml));
describeTable("cluster.xml", CLUSTER, CLUSTER_CASES, (xml) => parseClusterXml(xml));

function describeTable<C>(
  file: string,
  root: ElementSpec,
  cases: Readonly<Record<string, ElementCase<C>>>,
  parse: Parse<C>,
) {
  const rows = rowsOf(root);
  describe(`every row of ${file}`, () => {
    test("has a case, and no case is without its row", () => {
      const named = rows.flatMap(({ path, spec }) => [path, ...namesOf(path, spec.attributes)]);
      const covered = Object.entries(cases).flatMap(([path, one]) => [
        path,
        ...namesOf(path, one.attributes),
      ]);
      expect(covered.toSorted()).toEqual(named.toSorted());
    });

    for (const row of rows) {
      const one = cases[row.path];
      if (one === undefined) continue;
      describe(row.path, () => describeRow(row, one, parse));
    }
  });
}

function describeRow<C>({ path, spec }: Row, one: ElementCase<C>, parse: Parse<C>) {
  test("is read into the config", () => {
    const parsed = parse(one.wrap(written(one.base)));
    expect(parsed).toMatchObject({ ok: true });
    expect(one.pick(goodValue(parsed).config)).toBeDefined();
  });
  test("refuses an attribute that it does not have, and points at it", () => {
    const xml = one.wrap(written({ ...one.base, nosuchattribute: "1" }));
    const found = errorsOf(parse(xml)).find(({ message }) => message.includes("nosuchattribute"));
    expect(found?.message).toContain(`<${spec.name}> has no attribute "nosuchattribute"`);
    expect(place(xml, found)).toMatch(/^nosuchattribute=/u);
  });
  for (const attribute of Object.values(spec.attributes)) {
    const known = one.attributes[attribute.name];
    if (known === undefined) continue;
    describe(`@${attribute.name}`, () => describeAttribute(path, spec, attribute, one, parse));
  }
}

function describeAttribute<C>(
  path: string,
  spec: ElementSpec,
  attribute: AnyAttribute,
  one: ElementCase<C>,
  parse: Parse<C>,
) {
  const { name } = attribute;
  const known = one.attributes[name];
  const { [name]: _, ...others } = one.base;
  const read = (parsed: ReturnType<Parse<C>>) =>
    known?.field == null ? null : one.pick(goodValue(parsed).config)?.[known.field];

  test(`"${known?.written}" is read as its type`, () => {
    const parsed = parse(
      one.wrap(written({ ...withoutRivals(one.base, name), [name]: known?.written ?? "" })),
    );
    expect(parsed).toMatchObject({ ok: true });
    expect(read(parsed)).toEqual(known?.value);
  });
  if (attribute.isRequired) {
    test("is required", () => {
      const messages = errorsOf(parse(one.wrap(written(others)))).map(({ message }) => message);
      expect(messages).toContain(`<${spec.name}> needs attribute "${name}"`);
    });
  } else if (known?.absent !== undefined) {
    test("has its default where it is not given", () => {
      expect(read(parse(one.wrap(written(others))))).toEqual(known.absent);
    });
  }
  const { bad } = attribute.type.examples;
  if (bad !== null) {
    test(`refuses ${JSON.stringify(bad)}, and points at the value`, () => {
      const xml = one.wrap(written({ ...one.base, [name]: bad.replace("\u0007", "&#10;") }));
      const found = errorsOf(parse(xml)).find(({ message }) =>
        message.startsWith(`<${spec.name} ${name}>: `),
      );
      expect(found).toBeDefined();
      expect(place(xml, found)).toMatch(
        new RegExp(`^${escapeRegex(bad.replace("\u0007", "&#10;"))}"`, "u"),
      );
    });
  }
  test(`warns when it is ${attribute.support}, and only then`, () => {
    const xml = one.wrap(
      written({ ...withoutRivals(one.base, name), [name]: known?.written ?? "" }),
    );
    const messages = goodValue(parse(xml)).warnings.map(({ message }) => message);
    const own = messages.filter((message) => message.startsWith(`attribute "${name}" of <`));
    const above = path.split("/").map((part) => `<${part}> is `);
    const isAboveWarned = messages.some((message) =>
      above.some((part) => message.startsWith(part)),
    );
    if (attribute.support === "acted") expect(own).toEqual([]);
    else if (!isAboveWarned) {
      const verdict =
        attribute.support === "ignored" ? "is ignored" : "is understood but not acted on yet";
      expect(own).toHaveLength(1);
      expect(own[0]).toContain(verdict);
    }
  });
}

/** What the base has for the others' sake, and this attribute cannot stand beside. */
function withoutRivals(base: Readonly<Record<string, string>>, name: string) {
  const { path: _, ...pathless } = base;
  return name === "regexpath" ? pathless : base;
}

const namesOf = (path: string, attributes: object): readonly string[] =>
  Object.keys(attributes).map((name) => `${path}@${name}`);

const written = (attributes: Readonly<Record<string, string>>): string =>
  Object.entries(attributes)
    .map(([name, value]) => `\n  ${name}="${value.replaceAll("<", "&lt;")}"`)
    .join("");

function goodValue<T>(parsed: Result<T, readonly Problem[]>): T {
  if (!parsed.ok) throw new Error(parsed.error.map(({ message }) => message).join("\n"));
  return parsed.value;
}

const errorsOf = <T>(parsed: Result<T, readonly Problem[]>): readonly Problem[] =>
  parsed.ok ? [] : parsed.error;

/** The source from where the problem points. */
const place = (xml: string, problem: Problem | undefined): string =>
  xml.split("\n")[(problem?.line ?? 0) - 1]?.slice((problem?.column ?? 0) - 1) ?? "";

const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&");
