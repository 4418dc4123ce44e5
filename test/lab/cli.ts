/**
 * `npm run lab -- COMMAND`: a lab that stays up for a person, until `down`.
 *
 * State lives in `.lab/` of the checkout, so that each call finds what an earlier one made.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { CLI_IN_CONTROL, startCluster, startServices } from "./cluster.ts";
import { type Add, addFaultCommands, type Options } from "./fault-commands.ts";
import { LAB_VIP, Lab } from "./lab.ts";

const FOLDER = join(import.meta.dirname, "..", "..", ".lab");
const STATE = join(FOLDER, "lab.json");
const ID = "mflab";
const DATA_DISK_MIB = 512;

async function theLab(): Promise<Lab> {
  if (!existsSync(STATE)) throw new Error("no lab is up; make one with: npm run lab -- up");
  return await Lab.adopt({ id: ID, folder: FOLDER });
}

function say(options: Options, text: string, facts: unknown): void {
  console.log(options.json === true ? JSON.stringify(facts) : text);
}

type UpOptions = Options & { bare?: boolean; module: string; dataDisks?: boolean };

async function up(options: UpOptions): Promise<void> {
  if (existsSync(STATE)) throw new Error("a lab is up already; end it with: npm run lab -- down");
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(STATE, JSON.stringify({ id: ID, startedAt: new Date().toISOString() }));
  const disks = options.dataDisks === true ? { dataDiskMiB: DATA_DISK_MIB } : {};
  const lab = await Lab.up({ id: ID, folder: FOLDER, ...disks });
  if (options.bare !== true) {
    const cluster = await startCluster(lab, {
      say: (text) => console.error(text),
      module: options.module,
      hasFaults: true,
    });
    await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, 120_000);
  }
  say(options, upText, { machines: lab.machines.map((machine) => machine.name), vip: LAB_VIP });
}

const upText = `The lab is up: control, node1, node2 and client, the service at ${LAB_VIP}.
  npm run lab -- status
  npm run lab -- exec client -- psql -h ${LAB_VIP} -U postgres -c 'select 1'
  npm run lab -- kill node1 --power      and: boot node1
  npm run lab -- cut node1 node2         and: heal
  npm run lab -- down`;

async function status(options: Options): Promise<void> {
  const lab = await theLab();
  const machines = lab.machines.map((machine) => ({
    name: machine.name,
    address: lab.network.address(machine.name),
    isOn: machine.initPid !== null,
  }));
  const lines = machines.map((m) => `${m.name.padEnd(8)} ${m.address}  ${m.isOn ? "on" : "off"}`);
  const control = lab.machine("control");
  const report =
    control.initPid === null ? null : await control.exec(["sh", "-c", `${CLI_IN_CONTROL} status`]);
  say(options, [...lines, report?.stdout ?? ""].join("\n"), {
    machines,
    cluster: report?.stdout ?? null,
  });
}

async function down(options: Options): Promise<void> {
  const lab = await theLab();
  await lab.down();
  rmSync(FOLDER, { recursive: true, force: true });
  say(options, "The lab is gone.", { down: true });
}

function program(): Command {
  const command = new Command("lab").description(
    "Virtual machines of namespaces on this one (needs root), for tests and for people.",
  );
  command.exitOverride();
  const add: Add = (usage, description) =>
    command.command(usage).description(description).option("--json", "facts as JSON");
  add("up", "make the lab: two nodes with PostgreSQL as a mirror, a control plane, a client")
    .option("--bare", "only the machines, without Mirrorfarm in them")
    .option("--module <folder>", "the module to run", "postgresql")
    .option("--data-disks", "data on disks of their own, which `disk` makes fail")
    .action(up);
  add("exec <machine> <command...>", "run a command inside a machine").action(
    async (name: string, words: string[]) => {
      const lab = await theLab();
      const done = await lab.machine(name).exec(words, { limitMs: 3_600_000 });
      process.stdout.write(done.stdout);
      process.stderr.write(done.stderr);
      process.exitCode = done.code;
    },
  );
  add("kill <machine>", "the machine dies at once")
    .option("--power", "and what was not on stable storage is lost")
    .action(async (name: string, options: Options & { power?: boolean }) => {
      await (await theLab()).machine(name).kill({ power: options.power === true });
      say(options, `${name} is dead; bring it back with: npm run lab -- boot ${name}`, { name });
    });
  add("boot <machine>", "switch a dead machine on again").action(
    async (name: string, options: Options) => {
      const lab = await theLab();
      await lab.machine(name).boot();
      await startServices(lab, name, true);
      say(options, `${name} has booted`, { name });
    },
  );
  add("cut <from> <to>", "drop every packet between two machines")
    .option("--one-way", "only from the first to the second")
    .action(async (from: string, to: string, options: Options & { oneWay?: boolean }) => {
      await (await theLab()).network.cut(from, to, { oneWay: options.oneWay === true });
      say(options, `${from} and ${to} are cut; mend with: npm run lab -- heal`, { from, to });
    });
  add("heal", "mend every cut").action(async (options: Options) => {
    await (await theLab()).network.heal();
    say(options, "every link is whole", { healed: true });
  });
  addFaultCommands(add, { theLab, say });
  add("status", "machines, and what the cluster says of itself").action(status);
  add("down", "end the lab; nothing stays behind").action(down);
  return command;
}

try {
  await program().parseAsync();
  // What was started in the machines goes on; nothing here has to wait for it.
  process.exit();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
