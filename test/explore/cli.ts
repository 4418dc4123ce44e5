/**
 * `npm run explore [-- --depth N] [--clocks together|free] [--json] ...`: looks at everything that
 * can happen within the bounds, and ends when nothing new is found. Exit code 0: every promise held
 * in every state; 1: one is broken, and the shortest story that breaks it is printed; 2: bad
 * arguments; 3: the bounds were not exhausted (`--depth`, `--states`).
 */
import { parseArgs } from "node:util";
import { DEFAULT_BOUNDS } from "./bounds.ts";
import type { Budget } from "./budgets.ts";
import { type Coverage, coverageOf, LEFT_OUT } from "./cells.ts";
import { explore } from "./explore.ts";
import type { Searched } from "./search.ts";
import { storyOf } from "./story.ts";
import { THREE_BOUNDS } from "./three-bounds.ts";

const USAGE = `usage: npm run explore -- [options]
  --nodes 2|3              data nodes (default: 2)
  --clocks together|free   one clock for all (leases hold), or each its own (default: together)
  --epochs N --crashes N --strays N --lost-replies N --forces N --orders N
                           how often each may happen (a stray: a message lost, late or doubled)
  --faults N               how many faults in all
  --only                   kinds of faults that are not named never happen
  --depth N                look no further than N moves
  --states N               give up after N states
  --cells                  also name the cells (part × event) that were not lived through
  --json                   one JSON object`;

const { values } = readArguments();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const areClocksTogether = values.clocks !== "free";
const nodeCount = values.nodes === "3" ? 3 : 2;
const bounds =
  nodeCount === 3 ? THREE_BOUNDS : DEFAULT_BOUNDS[areClocksTogether ? "together" : "free"];
const kinds = {
  crashes: kind("crashes", bounds.budget.crashes),
  strays: kind("strays", bounds.budget.strays),
  lostReplies: kind("lost-replies", bounds.budget.lostReplies),
  forces: kind("forces", bounds.budget.forces),
  orders: kind("orders", bounds.budget.orders),
};
const sum = Object.values(kinds).reduce((total, count) => total + count, 0);
const budget: Budget = {
  ...kinds,
  faults: number("faults", values.only ? sum : bounds.budget.faults),
};
const startedMs = performance.now();
const seconds = (): number => Math.round((performance.now() - startedMs) / 100) / 10;
const done = await explore({
  nodeCount,
  areClocksTogether,
  budget,
  epochsMax: number("epochs", bounds.epochsMax),
  depthMax: number("depth", Number.POSITIVE_INFINITY),
  statesMax: number("states", 60_000_000),
  onProgress: (states, looks) => {
    const left = `${looks} of ${states} states looked at from the first start, ${seconds()} s`;
    if (!values.json && process.stderr.isTTY) process.stderr.write(`\r${left}\x1b[K`);
  },
});
report(done);
process.exitCode = done.broken !== null ? 1 : done.isComplete ? 0 : 3;

function report(result: Searched): void {
  const clocks = areClocksTogether ? "together" : "free";
  const cells = coverageOf(result.cells);
  if (values.json) {
    const story =
      result.broken === null
        ? null
        : storyOf(result.broken, { areClocksTogether, budget, nodeCount });
    const statesPerSecond = Math.round(result.states / Math.max(0.1, seconds()));
    const times = { seconds: seconds(), statesPerSecond };
    console.log(
      JSON.stringify({ nodes: nodeCount, clocks, budget, ...result, cells, ...times, story }),
    );
    return;
  }
  const end = result.isComplete ? "nothing is left to look at" : "stopped before the end";
  console.log(`${nodeCount} nodes, clocks ${clocks}, ${JSON.stringify(budget)}`);
  console.log(
    `${result.states} states, ${result.moves} moves, at most ${result.depth} in a row, ` +
      `${seconds()} s: ${end}`,
  );
  const all = cells.seen.length + cells.unseen.length;
  console.log(`${cells.seen.length} of ${all} cells (part × event) were lived through`);
  if (result.broken === null) {
    console.log("every promise held in every state");
    if (values.cells) reportCells(cells);
    return;
  }
  console.log(`\nBROKEN  ${result.broken.promise}\n`);
  for (const line of storyOf(result.broken, { areClocksTogether, budget, nodeCount }))
    console.log(line);
}

function reportCells({ unseen }: Coverage): void {
  console.log("\nnot lived through within these bounds:");
  for (const cell of unseen) console.log(`  ${cell}`);
  console.log("\nleft out:");
  for (const line of LEFT_OUT) console.log(`  ${line}`);
}

function kind(name: keyof typeof values, otherwise: number): number {
  return number(name, values.only ? 0 : otherwise);
}

function number(name: keyof typeof values, otherwise: number): number {
  const text = values[name];
  if (typeof text !== "string") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) fail(`--${name} takes a whole number, not ${text}`);
  return value;
}

function fail(text: string): never {
  console.error(`${text}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  const text = { type: "string" } as const;
  try {
    const read = parseArgs({
      options: {
        nodes: text,
        clocks: text,
        epochs: text,
        crashes: text,
        strays: text,
        "lost-replies": text,
        forces: text,
        orders: text,
        faults: text,
        depth: text,
        states: text,
        only: { type: "boolean", default: false },
        cells: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const { clocks, nodes } = read.values;
    if (nodes !== undefined && nodes !== "2" && nodes !== "3") {
      fail(`--nodes is 2 or 3, not ${nodes}`);
    }
    if (clocks !== undefined && clocks !== "free" && clocks !== "together") {
      fail(`--clocks is together or free, not ${clocks}`);
    }
    return read;
  } catch (thrown) {
    return fail(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
