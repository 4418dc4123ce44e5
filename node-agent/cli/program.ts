import { Command, CommanderError } from "commander";
import { Api } from "./api.ts";
import { type Environment, readContext } from "./context.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { addFileCommands } from "./file-commands.ts";
import { LocalAgent } from "./local-agent.ts";
import { addActionCommands, addReplicationCommands } from "./module-commands.ts";
import { addNodeCommands } from "./node-commands.ts";
import { addStatusCommands } from "./status-commands.ts";
import type { Terminal } from "./terminal.ts";

const DEFAULT_STATE = "/var/lib/mirrorfarm";

const EXAMPLES = `
Examples:
  mirrorfarm status -w
  mirrorfarm module install shop.safe && mirrorfarm module start shop --data-from node1
  mirrorfarm module switch shop
  mirrorfarm module maintenance on shop --for 2h --reason "new memory"
  mirrorfarm module wait shop --health Protected --timeout 5m
  mirrorfarm --local status            (on a node, when the control plane is away)

Environment: MIRRORFARM_URL, MIRRORFARM_SECRET, MIRRORFARM_CLUSTER, NO_COLOR.
Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 refused by a safety rule, 5 not allowed,
6 timed out and still running, 7 unreachable, 8 wrong state or stale, 130 interrupted.`;

/** What the commands share: the options that stand before them, and whom to speak to. */
export class Session {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly readInput: () => Promise<string>;
  readonly #root: Command;
  #api: Api | null = null;
  #status: number = EXIT.done;

  constructor(ports: RunPorts, root: Command) {
    this.terminal = ports.terminal;
    this.environment = ports.environment;
    this.readInput = ports.readInput;
    this.#root = root;
  }

  get #options(): GlobalOptions {
    return this.#root.opts<GlobalOptions>();
  }

  get json(): boolean {
    return this.#options.json ?? false;
  }

  get isUtc(): boolean {
    return this.#options.utc ?? false;
  }

  /** Speak to this node's agent, not to the control plane. */
  get local(): boolean {
    return this.#options.local ?? false;
  }

  get stateDirectory(): string {
    return this.#options.state;
  }

  /** What the process ends with when nothing goes wrong. */
  get status(): number {
    return this.#status;
  }

  setStatus(status: number): void {
    this.#status = status;
  }

  api(): Api {
    if (this.local) {
      throw new CommandEnd(EXIT.usage, "this command needs the control plane, not --local");
    }
    const context = readContext(this.environment, this.#options.cluster ?? null);
    this.#api ??= new Api(context, this.terminal.signal);
    return this.#api;
  }

  localAgent(): LocalAgent {
    return new LocalAgent(this.stateDirectory, this.terminal.signal);
  }
}

type GlobalOptions = {
  readonly json?: boolean;
  readonly utc?: boolean;
  readonly local?: boolean;
  readonly cluster?: string;
  readonly state: string;
};

/** What a command line needs of its process. */
export type RunPorts = {
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** All of standard input. */
  readonly readInput: () => Promise<string>;
};

/** Runs one command line (without `node` and the file) and resolves with its exit status. */
export async function run(args: readonly string[], ports: RunPorts): Promise<number> {
  const { terminal } = ports;
  const program = new Command("mirrorfarm");
  const session = new Session(ports, program);
  program
    .description("High availability for any application on two or more ordinary machines.")
    .option("--json", "print the API's JSON")
    .option("--utc", "times in UTC")
    .option("--cluster <name>", "which cluster, where there are several")
    .option("--local", "ask this node's agent, when the control plane is away")
    .option("--state <directory>", "this node's state directory", DEFAULT_STATE)
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    });
  addStatusCommands(program, session);
  const module = program.command("module").description("what the cluster runs");
  addFileCommands(module, session);
  addActionCommands(module, session);
  addReplicationCommands(program, session);
  addNodeCommands(program, session);
  try {
    await program.parseAsync(args, { from: "user" });
    return session.status;
  } catch (cause) {
    return endStatus(cause, terminal);
  }
}

function endStatus(cause: unknown, terminal: Terminal): number {
  if (cause instanceof CommandEnd) {
    terminal.err(cause.remedy === "" ? cause.message : `${cause.message} (${cause.remedy})`);
    return cause.status;
  }
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (terminal.signal.aborted) return EXIT.interrupted;
  throw cause;
}
