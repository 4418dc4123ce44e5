/**
 * `npm start`: the playground. Starts everything, prints one page to open, tells what happens, and
 * takes the same commands as the page's buttons. Ctrl-C ends it all.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { servePage } from "./page-server.ts";
import { Playground, removeFolder } from "./playground.ts";
import { type Shown, Supervisor } from "./supervisor.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const HELP = `npm start [-- OPTIONS]      a whole cluster on this machine, to watch and to break

  --module FILE.safe|shop     what runs on it (default: shop, a small web shop)
  --customers N               how many customers order at the same time (default 4)
  --port N                    port of the playground's page (default 8300)
  --service-port N            port of the service's address (default 8380)
  --control-port N            port of the console (default 8381)
  --folder DIR                where it keeps everything (default .playground)
  --keep                      leave the folder when it ends
  --watch                     start again whenever a source file changes
  --json                      one JSON object a line: every change of state

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

/** Why replicated directories cannot be mounted here, and what to do; null when they can. */
function whyNoFuse(): string | null {
  if (!existsSync("/dev/fuse")) {
    return "there is no /dev/fuse: load the module (sudo modprobe fuse), or start the container with --device /dev/fuse --cap-add SYS_ADMIN";
  }
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "this user may not open /dev/fuse: sudo chmod 666 /dev/fuse (Debian's own default), or run it as root";
  }
  const isRoot = process.getuid?.() === 0;
  const hasHelper = ["/usr/bin/fusermount3", "/bin/fusermount3"].some((path) => existsSync(path));
  if (!isRoot && !hasHelper) {
    return "without root, mounts need fusermount3: sudo apt-get install -y --no-install-recommends fuse3";
  }
  return null;
}

function line(shown: Shown): string {
  const nodes = shown.nodes.map((node) => `${node.name} ${node.shape} ${node.word}`).join("   ");
  const { acknowledged, found } = shown.orders;
  const counted = `${acknowledged} orders acknowledged, ${found ?? "–"} found`;
  return `${nodes}   ${counted}   ${shown.orders.text}\n  ${shown.why}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      module: { type: "string", default: "shop" },
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
  if (why !== null) {
    process.stderr.write(`the playground cannot mount its directories: ${why}\n`);
    process.exit(1);
  }
  const isFile = values.module.endsWith(".safe");
  const module = isFile ? basename(values.module, ".safe") : values.module;
  const playground = new Playground({
    ...{ folder: values.folder, module, say },
    moduleFile: isFile ? values.module : null,
    customers: Number(values.customers),
    servicePort: Number(values["service-port"]),
    controlPort: Number(values["control-port"]),
  });
  await run(playground, module, values);
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
  readonly port: string;
  readonly folder: string;
  readonly keep: boolean;
  readonly json: boolean;
};

async function run(playground: Playground, module: string, values: Values): Promise<void> {
  let end: (code: number) => Promise<void> = async (code) => process.exit(code);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => void end(0));
  }
  let isEnding = false;
  const supervisor = new Supervisor(playground, module, (lines) => say(`\n${lines.join("\n  ")}`));
  end = async (code) => {
    if (isEnding) return;
    isEnding = true;
    say("\nending everything …");
    supervisor.close();
    await playground.stop();
    if (!values.keep) removeFolder(values.folder);
    process.exit(code);
  };
  try {
    await playground.start();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return await end(1);
  }
  const page = await servePage(supervisor, Number(values.port));
  say(`\nOpen  ${page.url}\n      the service itself is at ${playground.serviceUrl}\n`);
  say("Type kill node1, restart node1, cut, mend, switch, stop control, status or quit.\n");
  showChanges(supervisor, values.json);
  takeCommands(supervisor, () => void end(0));
}

/** A line for people whenever a state changes; for programs, the whole of it as JSON. */
function showChanges(supervisor: Supervisor, asJson: boolean): void {
  let last = "";
  setInterval(() => {
    const shown = supervisor.shown();
    const key = JSON.stringify([shown.nodes, shown.why, shown.link, shown.control.isUp]);
    if (key === last) return;
    last = key;
    say(asJson ? JSON.stringify(shown) : line(shown));
  }, 250).unref();
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
