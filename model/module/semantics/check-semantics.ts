import { parseAddress } from "../address.ts";
import type { CheckWhen } from "../config.ts";
import { CHECK, CUSTOM, IP, PING, SPLITBRAIN, TCP } from "../elements/check.ts";
import type { AnyAttribute, Attribute, ElementSpec } from "../elements/element.ts";
import { quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";

/** More witnesses than this tell nothing more. */
const WITNESSES_MAX = 20;

/** Idents once each, times and actions that go together, roles that exist, one splitbrain. */
export function judgeChecks(service: TypedElement, judging: Judging): void {
  const checkers = service.childrenOf(CHECK).flatMap((check) => check.children);
  judgeIdents(checkers, judging);
  for (const checker of checkers) {
    if (checker.spec === TCP) judgeTime(checker, TCP.attributes, judging);
    if (checker.spec === PING) judgeTime(checker, PING.attributes, judging);
    if (checker.spec === CUSTOM) judgeTime(checker, CUSTOM.attributes, judging);
    if (checker.spec === IP) judgeIpTime(checker, judging);
  }
  judgeSplitbrain(
    checkers.filter(({ spec }) => spec === SPLITBRAIN),
    judging,
  );
}

/** `ident` names the resource, so it stands once per kind. */
function judgeIdents(checkers: readonly TypedElement[], { problems }: Judging): void {
  const seen = new Map<ElementSpec, Set<string>>();
  for (const checker of checkers) {
    const { ident } = checker.spec.attributes;
    if (ident === undefined || !checker.has(ident) || !checker.isSound(ident)) continue;
    const idents = seen.get(checker.spec) ?? new Set<string>();
    seen.set(checker.spec, idents);
    const text = checker.expandedText(ident);
    if (idents.has(text)) {
      const message = `another <${checker.spec.name}> has ident ${quote(text)} already`;
      problems.error(checker.offsetOf(ident), message);
    }
    idents.add(text);
  }
}

type TimedRow = { readonly when: Attribute<CheckWhen>; readonly action: AnyAttribute };

/** A module that waits has nothing to restart, and one that runs cannot wait for its start. */
function judgeTime(checker: TypedElement, row: TimedRow, judging: Judging): void {
  const { problems, mode } = judging;
  if (!checker.isSound(row.when)) return;
  const when = checker.read(row.when);
  if (mode !== "mirror" && (when === "prim" || when === "second")) {
    const message = `when ${quote(when)} is a role of a mirror; in a ${mode} module use "both"`;
    problems.error(checker.offsetOf(row.when), message);
  }
  if (!checker.has(row.action) || !checker.isSound(row.action)) return;
  const action = checker.expandedText(row.action);
  if (action === "noaction") return;
  if (when === "pre" && action !== "wait") {
    problems.error(checker.offsetOf(row.action), 'when "pre" goes with "wait" and "noaction" only');
  }
  if (when !== "pre" && action === "wait") {
    const legal = '"stop", "stopstart", "restart" and "noaction"';
    problems.error(checker.offsetOf(row.action), `when ${quote(when)} goes with ${legal} only`);
  }
}

function judgeIpTime(checker: TypedElement, { problems, mode }: Judging): void {
  const { when } = IP.attributes;
  if (!checker.has(when) || !checker.isSound(when)) return;
  const legal = mode === "mirror" ? "prim" : "both";
  if (checker.read(when) === legal) return;
  const message = `an <ip> checker of a ${mode} module has when ${quote(legal)}`;
  problems.error(checker.offsetOf(when), message);
}

function judgeSplitbrain(found: readonly TypedElement[], { problems, mode }: Judging): void {
  for (const [index, splitbrain] of found.entries()) {
    if (index > 0) problems.error(splitbrain.offset, "a module has one <splitbrain> only");
    if (mode !== "mirror") {
      problems.error(splitbrain.offset, "<splitbrain> belongs in a mirror module");
    }
    const { arg } = SPLITBRAIN.attributes;
    if (!splitbrain.isSound(arg)) continue;
    const witnesses = splitbrain.read(arg).split(" ").filter(Boolean);
    if (witnesses.length === 0 || witnesses.length > WITNESSES_MAX) {
      problems.error(splitbrain.offsetOf(arg), `arg has to name 1 to ${WITNESSES_MAX} witnesses`);
    }
    for (const witness of witnesses) {
      if (parseAddress(witness).ok) continue;
      problems.error(splitbrain.offsetOf(arg), `witness ${quote(witness)} is not an address`);
    }
  }
}
