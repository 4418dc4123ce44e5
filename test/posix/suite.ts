/**
 * Runs cases on a bare directory, then on a mounted one, and says where they differ: from what a
 * case expects, from each other, and in what they leave behind.
 */
import path from "node:path";
import type { KernelLimit } from "../../node-agent/fuse/ports.ts";
import type { Actors } from "./calls/actors.ts";
import type { Case, Step } from "./language/parse.ts";
import { PLACES, Place, type PlaceName } from "./places.ts";
import { ServedDirectory, temporaryFolder } from "./served-directory.ts";
import { treeDifferences, treeFacts } from "./tree-facts.ts";

/** What each step of a case answered. */
type Answers = readonly string[];

/** What is wrong, as lines to read: per case, and with the place as a whole. */
export type Findings = { readonly ofCases: readonly string[][]; readonly ofPlace: string[] };

const ERROR = /^(E[A-Z0-9]+|errno |cannot|ended )/;
/** A case says when its disk fails. */
const DISK_FAILS = "disk-fails";

export type SuiteOptions = {
  readonly actors: Actors;
  readonly place: PlaceName;
  /** Pretends that the kernel offers less. */
  readonly kernelLimit?: KernelLimit;
};

/** Runs the cases in places of their kind. */
export async function runSuite(cases: readonly Case[], o: SuiteOptions): Promise<Findings> {
  if (!PLACES[o.place].isForOne) return runIn(cases, o);
  const found: Findings[] = [];
  for (const one of cases) found.push(await runIn([one], o));
  return {
    ofCases: found.flatMap(({ ofCases }) => ofCases),
    ofPlace: found.flatMap(({ ofPlace }) => ofPlace),
  };
}

async function runIn(cases: readonly Case[], o: SuiteOptions): Promise<Findings> {
  const folder = temporaryFolder();
  const place = new Place(o.place, folder.path, cases);
  try {
    const onBare = await runCases(cases, { ...o, on: place, directory: place.bare });
    const { onMount, faults } = await serveAndRun(cases, o, place);
    const ofCases = cases.map((one, at) => judge(one, onBare[at] ?? [], onMount[at] ?? []));
    if (!PLACES[o.place].isComparable) return { ofCases, ofPlace: [] };
    compareTrees(place, o.place, ofCases);
    return { ofCases, ofPlace: [...faults] };
  } finally {
    place.remove();
    folder.remove();
  }
}

async function serveAndRun(cases: readonly Case[], o: SuiteOptions, place: Place) {
  const { role, isReadOnly } = PLACES[o.place];
  const server = await ServedDirectory.start({
    path: place.served,
    role,
    ...(isReadOnly ? {} : { copyTo: place.copy }),
    ...(o.kernelLimit === undefined ? {} : { kernelLimit: o.kernelLimit }),
  });
  try {
    const onMount = await runCases(cases, { ...o, on: place, directory: place.served });
    const { faults } = await server.tell("flushTimes");
    await server.stop();
    return { onMount, faults };
  } finally {
    server.kill();
  }
}

type Where = { readonly actors: Actors; readonly on: Place; readonly directory: string };

async function runCases(cases: readonly Case[], where: Where): Promise<Answers[]> {
  const found: Answers[] = [];
  for (const [at, one] of cases.entries()) {
    await where.actors.enter(path.join(where.directory, `${at}`));
    found.push(await runOne(one, where));
  }
  await where.actors.enter("/");
  return found;
}

async function runOne(one: Case, { actors, on, directory }: Where): Promise<Answers> {
  const answers: string[] = [];
  for (const step of one.steps) {
    if (step.call === DISK_FAILS) {
      on.fail(directory);
      answers.push("0");
    } else {
      answers.push(await actors.make(step));
    }
  }
  return answers;
}

function judge(one: Case, onBare: Answers, onMount: Answers): string[] {
  return one.steps.flatMap((step, at) =>
    judgeStep(step, onBare[at] ?? "not run", onMount[at] ?? "not run"),
  );
}

/** What is wrong with a step's two answers; empty when nothing is. */
export function judgeStep(step: Step, onBare: string, onMount: string): string[] {
  const { text, expected } = step;
  const wrong: string[] = [];
  if (expected === null) {
    if (ERROR.test(onBare)) wrong.push(`${text}: ${onBare}`);
    if (ERROR.test(onMount)) wrong.push(`${text}: on the mount ${onMount}`);
    return wrong;
  }
  if (expected === "*")
    return onBare === onMount ? [] : [`${text}: ${onBare}, on mount ${onMount}`];
  const ofMount = step.expectedOfMount ?? expected;
  if (expected !== "?" && onBare !== expected) wrong.push(`${text}: ${onBare}, not ${expected}`);
  if (ofMount !== "?" && onMount !== ofMount) {
    wrong.push(`${text}: on the mount ${onMount}, not ${ofMount}`);
  }
  return wrong;
}

/** Adds to each case's findings how its folders differ. */
function compareTrees(place: Place, name: PlaceName, ofCases: string[][]): void {
  const real = treeFacts(place.served);
  const between = (name: string, differences: readonly string[]) => {
    for (const difference of differences) {
      const at = Number(/^. \.\/(\d+)/.exec(difference)?.[1] ?? 0);
      ofCases[at]?.push(`${name}: ${difference}`);
    }
  };
  between("the copy is not like the mount", treeDifferences(real, treeFacts(place.copy)));
  if (!PLACES[name].isLikeBare) return;
  const timeless = (facts: readonly string[]) =>
    facts.map((fact) => fact.replace(/ mtime=\S+/, ""));
  between(
    "the mount is not like the bare directory",
    treeDifferences(timeless(treeFacts(place.bare)), timeless(real)),
  );
}
