import type { Attribute } from "../elements/element.ts";
import { type ProblemCollector, quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";

/** Reports every element whose value another one before it has. */
export function judgeUnique<T>(
  elements: readonly TypedElement[],
  attribute: Attribute<T>,
  problems: ProblemCollector,
): void {
  const seen = new Set<T>();
  for (const element of elements) {
    if (!element.isSound(attribute) || !element.has(attribute)) continue;
    const value = element.read(attribute);
    const { name } = element.spec;
    if (seen.has(value)) {
      const message = `another <${name}> has ${attribute.name} ${quote(String(value))} already`;
      problems.error(element.offsetOf(attribute), message);
    }
    seen.add(value);
  }
}
