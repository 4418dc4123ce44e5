/**
 * `npm start`: the playground. Starts everything, prints one page to open, tells what happens, and
 * takes the same commands as the page's buttons. Ctrl-C ends it all.
 */
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { whyNoFuse } from "../setup/needs.ts";
import { chooseModule, type PlaygroundModule } from "./applications.ts";
import { removeFolder, takeFolder } from "./own-folder.ts";
import { servePage } from "./page-server.ts";
import { Playground } from "./playground.ts";
import { countText, type Shown, Supervisor } from "./supervisor.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const HELP = `npm start [-- OPTIONS]      a whole cluster on this machine, to watch and to break

  --module NAME|FILE.safe     what runs on it: shop (the default: a small web shop), postgresql
                              (as root), or a module file, whose directories and addresses use
                              %FARM_DATA% and %FARM_ADDRESS%, as both nodes are on this machine
  --module-port N             where a module file serves on its node (default: where its first tcp
                              checker looks, else 8080)
  --customers N               how many customers ask at the same time (default 4)
  --port N                    port of the playground's page (default 8300)
  --service-port N            port of the service's address (default 8380)
  --control-port N            port of the console (default 8381)
                              (a port 0 is any free one)
  --network N                 the nodes are 127.0.N.11 and 127.0.N.12 (default 0)
  --folder DIR                where it keeps everything (default .playground)
  --keep                      leave the folder when it ends
  --watch                     start again whenever a source file changes
  --json                      one JSON object a line: where it is, then every change of state

While it runs, type: kill node1, restart node1, cut, mend, switch, stop control,
start control, status, quit`;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** What a person types, as the page's action. */
function actionOf(line: string): string | null {
  const words = line.trim().toLowerCase().split(/\s+/);
  const [verb = "", name = ""] = words;
  if ((verb === "kill" || verb === "restart") && /^node[12]$/.test(name)) return `node:${name}`;
  if (verb === "cut" || verb === "mend") return "link";
  if (verb === "switch") return "switch";
  if ((verb === "stop" || verb === "start") && name === "control") return "control";
  return null;
}

function line(shown: Shown): string {
  const nodes = shown.nodes.map((node) => `${node.name} ${node.shape} ${node.word}`).join("   ");
  const { load, answer, address } = shown;
  const answered = answer === null ? "" : `   ${address}: ${answer.text}`;
  const counted = load === null ? answered : `   ${countText(load)}   ${load.text}`;
  return `${nodes}${counted}\n  ${shown.why}`;
}

/** A whole number in a range, or an end with a sentence. */
function numberOf(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  return refuse(`--${name} ${text}: want a number from 0 to ${max}`);
}

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      module: { type: "string", default: "shop" },
      "module-port": { type: "string" },
      network: { type: "string", default: "0" },
      customers: { type: "string", default: "4" },
      port: { type: "string", default: "8300" },
      "service-port": { type: "string", default: "8380" },
      "control-port": { type: "string", default: "8381" },
      folder: { type: "string", default: join(ROOT, ".playground") },
      keep: { type: "boolean", default: false },
      watch: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(HELP);
  if (values.watch) return watch();
  const why = whyNoFuse();
  if (why !== null) refuse(`the playground cannot mount its directories: ${why}`);
  const port = (name: "port" | "service-port" | "control-port") =>
    numberOf(name, values[name], 65_534);
  const own = values["module-port"];
  const module = await chooseModule(values.module, {
    port: own === undefined ? null : numberOf("module-port", own, 65_534),
    // npm runs scripts in the project's folder and says here where it was called.
    from: process.env["INIT_CWD"] ?? process.cwd(),
  });
  if (typeof module === "string") refuse(module);
  const options = {
    customers: numberOf("customers", values.customers, 1000),
    network: numberOf("network", values.network, 254),
    servicePort: port("service-port"),
    controlPort: port("control-port"),
  };
  const pagePort = port("port");
  const folder = resolve(values.folder);
  const whyNot = module.whyNot(folder);
  if (whyNot !== null) refuse(`${module.name} cannot run here: ${whyNot}`);
  const notMine = takeFolder(folder);
  if (notMine !== null) refuse(notMine);
  const isQuiet = values.json;
  if (!isQuiet) for (const note of module.notes) say(`note: ${note}`);
  const playground = new Playground({
    ...options,
    ...{ folder, module, say: isQuiet ? () => undefined : say },
  });
  await run(playground, module, { ...values, folder, pagePort });
}

/** The development loop: Node itself ends and starts the playground when a source changes. */
function watch(): void {
  const folders = ["model", "functions", "node-agent", "test/playground"];
  const others = process.argv.slice(2).filter((word) => word !== "--watch");
  const child = spawn(
    process.execPath,
    [
      ...folders.map((folder) => `--watch-path=${join(ROOT, folder)}`),
      ...[join(import.meta.dirname, "main.ts"), ...others],
    ],
    { stdio: "inherit" },
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 0));
}

type Values = {
  readonly pagePort: number;
  readonly folder: string;
  readonly keep: boolean;
  readonly json: boolean;
};

async function run(
  playground: Playground,
  module: PlaygroundModule,
  values: Values,
): Promise<void> {
  const { json, folder, keep } = values;
  const supervisor = new Supervisor(playground, module, (lines) => {
    if (!json) say(`\n${lines.join("\n  ")}\n`);
  });
  let isEnding = false;
  const end = async (code: number) => {
    if (isEnding) return;
    isEnding = true;
    if (!json) say("\nending everything …");
    supervisor.close();
    await playground.stop();
    if (!keep) removeFolder(folder);
    process.exit(code);
  };
  const fail = (error: unknown) => {
    if (!isEnding) process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return end(1);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => void end(0));
  }
  // Whatever is wrong with the supervisor itself: it leaves nothing behind either.
  process.on("uncaughtException", (error) => void fail(error));
  try {
    // First the page: its port may be in use, and then nothing else has to begin.
    const page = await servePage(supervisor, values.pagePort);
    if (!json) say(`Open  ${page.url}   (it fills while everything starts)\n`);
    await playground.start();
    if (isEnding) return;
    if (json) say(JSON.stringify({ url: page.url }));
    else say(`\nOpen  ${page.url}\n      the service itself is at ${supervisor.shown().address}\n`);
  } catch (error) {
    return await fail(error);
  }
  if (!json)
    say("Type kill node1, restart node1, cut, mend, switch, stop control, status or quit.\n");
  showChanges(supervisor, json);
  takeCommands(supervisor, () => void end(0));
}

/** A line for people whenever a state changes; for programs, the whole of it as JSON. */
function showChanges(supervisor: Supervisor, asJson: boolean): void {
  let last = "";
  const timer = setInterval(() => {
    if (supervisor.isClosed) return clearInterval(timer);
    const shown = supervisor.shown();
    const key = JSON.stringify([shown.nodes, shown.why, shown.link, shown.control.isUp]);
    if (key === last) return;
    last = key;
    say(asJson ? JSON.stringify(shown) : line(shown));
  }, 250);
}

function takeCommands(supervisor: Supervisor, quit: () => void): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (text) => {
    if (text.trim() === "") return;
    if (["quit", "exit", "q"].includes(text.trim())) return quit();
    if (text.trim() === "status") return say(line(supervisor.shown()));
    const action = actionOf(text);
    if (action === null) return say(HELP);
    void supervisor.act(action).then(say, (error: unknown) => say(String(error)));
  });
}

await main();
