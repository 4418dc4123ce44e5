/**
 * Runs a program on a bare directory and on a pair's mount with its faults, and says where answers,
 * final trees or the two copies differ.
 */
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Actors } from "../calls/actors.ts";
import { ACTORS, type Actor, parseStep, type Step } from "../language/parse.ts";
import { treeDifferences, treeFacts } from "../tree-facts.ts";
import type { KillablePair } from "./killable-pair.ts";
import type { Fault, Item, Program } from "./program.ts";

export type World = { readonly actors: Actors; readonly pair: KillablePair; readonly bare: string };

/** Times reach the secondary within a fraction of a second once the stream is quiet. */
const QUIET_MS_MAX = 3000;
const QUIET_STEP_MS = 50;
const OWNERS: Record<Actor, number> = { root: 0, other: 0, alice: 1001, bob: 1002 };

/** Answers by item. */
type Answers = ReadonlyMap<Item, string>;

/** What is wrong, as lines to read; empty when nothing is. `name` is a folder not yet used. */
export async function runProgram(program: Program, world: World, name: string): Promise<string[]> {
  const { bare, pair } = world;
  const folders = [bare, pair.a.tree].map((directory) => path.join(directory, name));
  const [onBare = new Map(), onMount = new Map()] = [
    await perform(program, folders[0] ?? "", world.actors, () => Promise.resolve()),
    await perform(program, folders[1] ?? "", world.actors, (fault) => strike(fault, pair)),
  ];
  const wrong = program.items.flatMap((item) => {
    const [first, second] = [onBare.get(item), onMount.get(item)];
    if (first === second || item.kind === "fault") return [];
    return [
      `round ${item.round}, ${item.kind}: ${item.step.text}: ${first}, on the mount ${second}`,
    ];
  });
  wrong.push(...(await pair.faults()));
  wrong.push(...(await compareTrees(folders[0] ?? "", name, pair)));
  return wrong;
}

async function strike(fault: Fault, pair: KillablePair): Promise<void> {
  if (fault === "cut the link") pair.cutLink();
  else await pair.killPeer();
}

async function perform(
  { items }: Program,
  folder: string,
  actors: Actors,
  strike: (fault: Fault) => Promise<void>,
): Promise<Answers> {
  await furnish(folder, actors);
  const answers = new Map<Item, string>();
  const make = async (item: Item, step: Step): Promise<void> => {
    answers.set(item, await actors.make(step));
  };
  const rounds = Math.max(-1, ...items.map(({ round }) => round));
  await actors.enter(folder);
  for (let round = 0; round <= rounds; round += 1) {
    const now = items.filter((item) => item.round === round);
    for (const actor of ACTORS) await actors.goTo(actor, path.join(folder, actor));
    const faults = now.flatMap((item) => (item.kind === "fault" ? [strike(item.fault)] : []));
    const inTurn = async (actor: Actor): Promise<void> => {
      for (const item of now) {
        if (item.kind === "own" && item.step.actor === actor) await make(item, item.step);
      }
    };
    await Promise.all(ACTORS.map(inTurn));
    await Promise.all(faults);
    for (const actor of ACTORS) await actors.goTo(actor, path.join(folder, "shared"));
    for (const item of now) if (item.kind === "shared") await make(item, item.step);
  }
  await actors.enter("/");
  return answers;
}

/**
 * A directory for each, and one for all. Made by an actor: this process carries the link between the
 * two nodes, and would wait for itself.
 */
async function furnish(folder: string, actors: Actors): Promise<void> {
  await actors.enter("/");
  const made = ["", ...ACTORS, "shared"].map((name) => path.join(folder, name));
  const steps = [
    ...made.map((directory) => `mkdir ${directory}`),
    `chmod ${path.join(folder, "shared")} 01777`,
    ...ACTORS.map((actor) => `chown ${path.join(folder, actor)} ${OWNERS[actor]} ${OWNERS[actor]}`),
  ];
  for (const step of steps) await actors.make(parseStep(step));
}

async function compareTrees(bare: string, name: string, pair: KillablePair): Promise<string[]> {
  const [first, second] = [pair.a, pair.b].map(({ real }) => path.join(real, name));
  const timeless = (facts: readonly string[]) =>
    facts.map((fact) => fact.replace(/ mtime=\S+/, ""));
  const real = treeFacts(first ?? "");
  const ofBare = treeDifferences(timeless(treeFacts(bare)), timeless(real));
  let ofCopy: string[] = [];
  for (let waitedMs = 0; waitedMs < QUIET_MS_MAX; waitedMs += QUIET_STEP_MS) {
    ofCopy = treeDifferences(treeFacts(first ?? ""), treeFacts(second ?? ""));
    if (ofCopy.length === 0) break;
    await setTimeout(QUIET_STEP_MS);
  }
  return [
    ...ofBare.map((line) => `the mount is not like the bare directory: ${line}`),
    ...ofCopy.map((line) => `the copy is not like the mount: ${line}`),
  ];
}
