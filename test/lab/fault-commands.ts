/** `npm run lab -- freeze | thaw | stall | clock | witness`: what a machine may suffer, for people. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { stallThread } from "./agent-process.ts";
import { witnessDoor } from "./cluster.ts";
import { DISK_TROUBLES, troubleDisk } from "./faulty-disk/trouble-disk.ts";
import type { Lab } from "./lab.ts";
import { canStepClocks, stepClock } from "./wall-clock.ts";
import { WITNESS_FAILURES, type WitnessFault } from "./witness-fault.ts";

export type Options = { readonly json?: boolean };
/** A command with the options that all have. */
export type Add = (usage: string, description: string) => Command;

type Ports = {
  theLab(): Promise<Lab>;
  say(options: Options, text: string, facts: unknown): void;
};

/** `500ms`, `10s`, `2m`; in milliseconds. */
function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("want 500ms, 10s or 2m");
  return Number(number) * (unit === "m" ? 60_000 : unit === "s" ? 1_000 : 1);
}

export function addFaultCommands(add: Add, ports: Ports): void {
  addStandStills(add, ports);
  addClock(add, ports);
  addWitness(add, ports);
  addDisk(add, ports);
}

const MS_SLOW = 200;

function addDisk(add: Add, { theLab, say }: Ports): void {
  add("disk <machine> <fault>", "its data disk: eio, slow, hang, full, ro, lose-unflushed, or ok")
    .option("--delay <time>", "what `slow` adds to each call: 500ms, 10s", duration, MS_SLOW)
    .action(async (name: string, fault: string, options: Options & { delay: number }) => {
      const known = DISK_TROUBLES.find((one) => one === fault);
      if (known === undefined) throw new Error(`the fault is one of ${DISK_TROUBLES.join(", ")}`);
      await troubleDisk((await theLab()).machine(name), known, options.delay);
      say(options, `the data disk of ${name}: ${fault}`, { name, fault });
    });
}

function addStandStills(add: Add, { theLab, say }: Ports): void {
  add("freeze <machine>", "stop every process of a machine")
    .option("--for <time>", "and let them go on after 500ms, 10s, 2m", duration)
    .action(async (name: string, options: Options & { for?: number }) => {
      const machine = (await theLab()).machine(name);
      machine.freeze();
      if (options.for === undefined) {
        say(options, `${name} is frozen; go on with: npm run lab -- thaw ${name}`, { name });
        return;
      }
      await sleep(options.for);
      machine.thaw();
      say(options, `${name} goes on`, { name });
    });
  add("thaw <machine>", "let a frozen machine go on").action(
    async (name: string, options: Options) => {
      (await theLab()).machine(name).thaw();
      say(options, `${name} goes on`, { name });
    },
  );
  add("stall <machine> <thread>", "one thread of a node's agent stands still: main or data")
    .option("--for <time>", "how long: 500ms, 10s, 2m", duration, 5_000)
    .action(async (name: string, thread: string, options: Options & { for: number }) => {
      if (thread !== "main" && thread !== "data") throw new Error("the thread is main or data");
      const stoodMs = await stallThread((await theLab()).machine(name), thread, options.for);
      say(options, `the ${thread} thread of ${name} stood still for ${stoodMs} ms`, { stoodMs });
    });
}

const HOUR_SECONDS = 3600;
const OFFSETS: Readonly<Record<string, number>> = {
  "+1h": HOUR_SECONDS,
  "-1h": -HOUR_SECONDS,
  right: 0,
};

function addClock(add: Add, { theLab, say }: Ports): void {
  add("clock <machine> <step>", "the wall clock of a node: +1h, -1h, right, or strobe")
    // An argument that begins with a dash is no option here.
    .allowUnknownOption()
    .option("--for <time>", "how long a strobe lasts", duration, 10_000)
    .action(async (name: string, step: string, options: Options & { for: number }) => {
      if (!canStepClocks)
        throw new Error("this needs libfaketime (Debian: apt install libfaketime)");
      const machine = (await theLab()).machine(name);
      const offset = OFFSETS[step];
      if (offset !== undefined) {
        stepClock(machine, offset);
        say(options, `the wall clock of ${name}: ${step}`, { name, step });
        return;
      }
      if (step !== "strobe") throw new Error("the step is +1h, -1h, right or strobe");
      const untilMs = performance.now() + options.for;
      for (let n = 0; performance.now() < untilMs; n += 1) {
        stepClock(machine, n % 2 === 0 ? HOUR_SECONDS : -HOUR_SECONDS);
        await sleep(1_000);
      }
      stepClock(machine, 0);
      say(options, `the wall clock of ${name} jumped each second, and is right again`, { name });
    });
}

function addWitness(add: Add, { theLab, say }: Ports): void {
  add("witness <fault> [how]", "what agents get from the control plane: slow, fail HOW, or well")
    .option("--by <time>", "how slow each answer is", duration, 5_000)
    .addHelpText("after", `\nHOW is one of ${WITNESS_FAILURES.join(", ")}.`)
    .action(async (word: string, how: string | undefined, options: Options & { by: number }) => {
      const fault = faultOf(word, how, options.by);
      const door = witnessDoor(await theLab());
      if (!(await door.isOpen())) await door.open();
      door.fault(fault);
      say(options, `the control plane, as agents see it: ${[word, how].join(" ").trim()}`, fault);
    });
}

function faultOf(word: string, how: string | undefined, delayMs: number): WitnessFault {
  if (word === "well") return { kind: "none" };
  if (word === "slow") return { kind: "slow", delayMs };
  const known = WITNESS_FAILURES.find((one) => one === how);
  if (word === "fail" && known !== undefined) return { kind: "fail", how: known };
  throw new Error(`want: witness slow | well | fail ${WITNESS_FAILURES.join("|")}`);
}
