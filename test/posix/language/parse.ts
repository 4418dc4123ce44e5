/**
 * Cases as text: what a program may expect of a directory, one call a line. A file of cases/ is a
 * family of calls:
 *
 *     # open: making and opening files          the family
 *     place: small                              where it runs (places.ts); an ordinary ext4 if unsaid
 *
 *     ## O_EXCL refuses a name that is there    a case
 *     put a x                                   a call that must succeed
 *     f = open a RDWR                           its descriptor gets a name
 *     open a CREAT|EXCL -> EEXIST               a call and what it must answer
 *     alice: cat a -> x                         made by another process, of a user without rights
 *     alice: & lock f EX                        begun; what it answers comes with
 *     alice: wait -> 0
 *     flags a -> 0x80000 | mount ENOTTY         a known difference: what the mount answers instead
 *     why: the kernel does not pass it on       and its reason
 *
 * `given: d/keep 1000` says that d/keep0 and so on are there before, made beside the mount.
 * `long: yes` leaves the case to `npm run test:long`.
 * `-> *` is any answer, the same on both; `-> ?` any answer at all. Each case runs in an empty
 * folder that anyone may write to. `calls/` has the calls, text.ts how words are written.
 */
import { words } from "./text.ts";

export const ACTORS = ["root", "other", "alice", "bob"] as const;
/** A process that makes calls: root's first, another of root's, and two users' (actors.ts). */
export type Actor = (typeof ACTORS)[number];

export type Step = {
  readonly actor: Actor;
  /** Its answer is not waited for. */
  readonly isBegun: boolean;
  /** The name that the result gets. */
  readonly name: string | null;
  readonly call: string;
  readonly words: readonly string[];
  /** Null: anything but an error. */
  readonly expected: string | null;
  /** Where the mount is known to answer something else. */
  readonly expectedOfMount: string | null;
  /** As it was written, without what is expected. */
  readonly text: string;
};

export type Case = {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Empty files that are there before. */
  readonly given: { readonly prefix: string; readonly count: number } | null;
  /** Takes too long for `npm test`. */
  readonly isLong: boolean;
  /** Why the mount differs; null when it does not. */
  readonly why: string | null;
};

export type Family = {
  readonly title: string;
  /** Kinds of places (places.ts) that each case runs in. */
  readonly places: readonly string[];
  readonly cases: readonly Case[];
};

const STEP = /^(?:(root|other|alice|bob):\s*)?(&\s*)?(?:(\w+)\s*=\s+)?(.*)$/;

const isActor = (text: string | undefined): text is Actor => ACTORS.some((actor) => actor === text);

export function parseStep(line: string): Step {
  const [text = "", answer = null] = line.split(" -> ");
  const [expected = null, ofMount = null] = answer?.split(" | mount ") ?? [];
  const [, actor, begun, name = null, rest = ""] = STEP.exec(text.trim()) ?? [];
  const [call = "", ...parameters] = words(rest);
  if (call === "") throw new Error(`no call in ${line}`);
  return {
    actor: isActor(actor) ? actor : "root",
    isBegun: begun !== undefined,
    name,
    call,
    words: parameters,
    expected: expected?.trim() ?? null,
    expectedOfMount: ofMount?.trim() ?? null,
    text: text.trim(),
  };
}

export function parseFamily(text: string): Family {
  const [head = "", ...sections] = text.split(/^## /m);
  const title = /^# (.*)$/m.exec(head)?.[1];
  if (title === undefined) throw new Error("a family begins with # and its title");
  const places = /^place: (.*)$/m.exec(head)?.[1] ?? "ordinary";
  return { title, places: places.split(" "), cases: sections.map(parseCase) };
}

function parseCase(section: string): Case {
  const [name = "", ...lines] = section.split("\n").map((line) => line.trim());
  const steps: Step[] = [];
  let why: string | null = null;
  let given: Case["given"] = null;
  let isLong = false;
  for (const line of lines) {
    if (line === "" || line.startsWith("#")) continue;
    const [, prefix, count] = /^given: (\S+) (\d+)$/.exec(line) ?? [];
    if (prefix !== undefined) given = { prefix, count: Number(count) };
    else if (line === "long: yes") isLong = true;
    else if (line.startsWith("why: ")) why = line.slice(5);
    else steps.push(parseStep(line));
  }
  if (steps.length === 0) throw new Error(`${name}: no calls`);
  const hasDifference = steps.some((step) => step.expectedOfMount !== null);
  if (hasDifference && why === null) throw new Error(`${name}: a difference, and no why`);
  return { name, steps, given, isLong, why };
}
