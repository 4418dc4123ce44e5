import type { TimerProfile } from "../quorum/timers.ts";
import { err, ok, type Result } from "../shared/result.ts";
import { buildConfig } from "./build-config.ts";
import type { ModuleConfig } from "./config.ts";
import type { ElementSpec } from "./elements/element.ts";
import { MACRO, SAFE, SERVICE } from "./elements/service.ts";
import { Macros } from "./macros.ts";
import { didYouMean, type Problem, ProblemCollector, quote } from "./problem.ts";
import { judgeService } from "./semantics/semantics.ts";
import { type Reading, type TypedElement, typeElement } from "./typed-element.ts";
import { normalizeText, parseXml, type XmlElement } from "./xml.ts";

/** How a `userconfig.xml` is read. */
export type ParseOptions = {
  /** Stands in the messages. */
  readonly file?: string;
  /** For `%X%` that no macro defines. */
  readonly environment?: ReadonlyMap<string, string>;
  /** true: an unresolved `%X%` is an error; false: a warning, as the node may define it. */
  readonly isOnNode?: boolean;
  /** A virtual address may be a loopback address: for a playground on one machine. */
  readonly allowLoopback?: boolean;
  /** The cluster's timer profile, that `<heart>` must go together with. */
  readonly timers?: TimerProfile;
};
/** A file that can be used, and what its owner should know about it. */
export type ParsedConfig = {
  readonly config: ModuleConfig;
  readonly warnings: readonly Problem[];
};

/**
 * Reads a `userconfig.xml`. All errors are reported, in the order of the file, up to
 * `PROBLEMS_MAX`; one that is not well-formed XML stands alone.
 */
export function parseUserConfig(
  source: string,
  options: ParseOptions = {},
): Result<ParsedConfig, readonly Problem[]> {
  const { file = "userconfig.xml", environment = new Map(), isOnNode = false } = options;
  const text = normalizeText(source);
  const problems = new ProblemCollector(file, text);
  const top = parseXml(text, problems);
  if (problems.hasErrors) return err(problems.errors);
  const reading: Reading = { problems, macros: new Macros(environment), isOnNode };
  const typed = typeTop(top, reading);
  const safe = typed.find(({ spec }) => spec === SAFE);
  const service = safe?.child(SERVICE) ?? null;
  const { allowLoopback = false, timers } = options;
  if (service !== null) judgeService(service, problems, { allowLoopback, timers });
  if (service !== null && !problems.hasErrors && !service.isSound(SERVICE.attributes.mode)) {
    const { mode } = SERVICE.attributes;
    problems.error(service.offsetOf(mode), "the mode has to be known here: define its macro");
  }
  if (problems.hasErrors || safe === undefined || service === null) return err(problems.errors);
  const macros = [...typed.filter(({ spec }) => spec === MACRO), ...safe.childrenOf(MACRO)];
  return ok({ config: buildConfig(service, macros), warnings: problems.warnings });
}

/** `<macro>`s, then one `<safe>`: published files have macros on either side of its tag. */
function typeTop(top: readonly XmlElement[], reading: Reading): readonly TypedElement[] {
  const typed: TypedElement[] = [];
  let hasSafe = false;
  for (const xml of top) {
    const spec = topSpecOf(xml.name);
    if (spec === null || hasSafe) {
      const hint = spec === null ? didYouMean(xml.name, [SAFE.name, MACRO.name]) : "";
      const place = hasSafe ? "after <safe>" : "at the top";
      reading.problems.error(xml.offset, `<${cutName(xml.name)}> cannot stand ${place}${hint}`);
      continue;
    }
    hasSafe ||= spec === SAFE;
    typed.push(typeElement(xml, spec, reading));
  }
  if (!hasSafe) reading.problems.error(0, "the file has no <safe>");
  return typed;
}

function topSpecOf(name: string): ElementSpec | null {
  if (name === SAFE.name) return SAFE;
  return name === MACRO.name ? MACRO : null;
}

/** A name as long as the file is not repeated in full. */
const cutName = (name: string): string => quote(name).slice(1, -1);
