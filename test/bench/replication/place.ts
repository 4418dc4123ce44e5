/** A folder in a machine: where one program of a workload runs. */
import type { Finished, RunOptions } from "../../lab/command.ts";
import type { VirtualMachine } from "../../lab/virtual-machine.ts";
import type { BenchLab } from "./bench-lab.ts";
import type { Target } from "./targets.ts";
import type { Figures, Row, Workload } from "./workload.ts";

const NODE = process.execPath;
const PROGRAMS = `${import.meta.dirname}/programs`;
/** Nothing here takes longer on a machine that works. */
const PROGRAM_MS_MAX = 300_000;

export class Place {
  readonly folder: string;
  readonly machine: VirtualMachine;

  constructor(machine: VirtualMachine, folder: string) {
    this.machine = machine;
    this.folder = folder;
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return await this.machine.mustExec(args, { limitMs: PROGRAM_MS_MAX, ...options });
  }

  async tryRun(args: readonly string[]): Promise<Finished> {
    return await this.machine.exec(args, { limitMs: PROGRAM_MS_MAX });
  }

  /** A shell script that ends at the first command that fails; `$1` and on are `args`. */
  async shell(script: string, ...args: readonly (string | number)[]): Promise<string> {
    return await this.run(["sh", "-ec", script, "sh", ...args.map(String)]);
  }

  /** One of programs/, which prints one line of JSON: figures by name. */
  async program(name: string, ...args: readonly (string | number)[]): Promise<Figures> {
    const file = `${PROGRAMS}/${name}-program.ts`;
    const said = await this.run([NODE, "--no-warnings", file, ...args.map(String)]);
    return JSON.parse(said);
  }

  /** A file of that many MiB of random bytes, written once and on the disk. */
  async ensureFile(name: string, sizeMiB: number): Promise<string> {
    const path = this.path(name);
    const script = `mkdir -p "$1"; [ "$(stat -c %s "$2" 2>/dev/null)" = "$4" ] ||
      dd if=/dev/urandom of="$2" bs=1M count="$3" conv=fsync status=none`;
    await this.shell(script, this.folder, path, sizeMiB, sizeMiB * 1024 * 1024);
    return path;
  }
}

/** Every place of a target. */
export const placesOf = (target: Target, bench: BenchLab): readonly Place[] =>
  target.nodes.map((node) => new Place(bench.machine(node), target.folder));

/** `prepare` of a workload that does the same in each place of a target. */
export const inEachPlace =
  (work: (place: Place, bench: BenchLab) => Promise<unknown>): Required<Workload>["prepare"] =>
  async (target, bench) => {
    await Promise.all(placesOf(target, bench).map((place) => work(place, bench)));
  };

/** `measure` of a workload whose program runs in each place at once: the worst value counts. */
export const worstPlace =
  (
    rows: readonly Row[],
    work: (place: Place, bench: BenchLab) => Promise<Figures>,
  ): Workload["measure"] =>
  async (target, bench) => {
    const all = await Promise.all(placesOf(target, bench).map((place) => work(place, bench)));
    return Object.fromEntries(
      rows.map(({ key, better }) => {
        const values = all.map((figures) => {
          const value = figures[key];
          if (value === undefined) throw new Error(`${key} was not measured`);
          return value;
        });
        return [key, better === "more" ? Math.min(...values) : Math.max(...values)];
      }),
    );
  };
