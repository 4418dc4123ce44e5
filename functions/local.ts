/**
 * `node functions/local.ts --state DIR`: the control plane on one machine. Prints where it is and
 * how to come in, runs until SIGTERM or SIGINT, and keeps everything in DIR.
 *
 *   --port N                   people's port on 127.0.0.1 (default 0: any free one)
 *   --listen HOST:PORT         the same with another address; use a tunnel or a proxy with TLS
 *   --agent-listen HOST:PORT   where agents call (default 127.0.0.1:0)
 *   --name NAME                a further name or address of this machine; may be repeated
 *   --cluster NAME             makes this cluster at the first start, with
 *   --nodes node1=ADDR,…       its nodes (addresses optional),
 *   --address-driver KIND      arp, local-proxy or none, and
 *   --timers PROFILE           fast, default or tolerant
 *   --proxy-admin URL --proxy-secret-file FILE   the proxy behind local-proxy
 *   --allow-loopback           virtual addresses may be loopback ones
 *   --json                     one line of JSON instead of text
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod/mini";
import { AddressDriverKind, TimerProfile } from "#model/contract/configuration.ts";
import { parsePlace } from "./local/listeners.ts";
import { CONSOLE_FOLDER, type FirstCluster, type Served, serve } from "./local/serve.ts";

/** A stop takes at most this long; what is durable is durable already. */
const STOP_MS_MAX = 2_000;

type Values = ReturnType<typeof readArguments>;
const readArguments = () =>
  parseArgs({
    strict: true,
    options: {
      state: { type: "string" },
      port: { type: "string", default: "0" },
      listen: { type: "string" },
      "agent-listen": { type: "string", default: "127.0.0.1:0" },
      name: { type: "string", multiple: true, default: [] },
      cluster: { type: "string" },
      nodes: { type: "string", default: "" },
      "address-driver": { type: "string", default: "arp" },
      timers: { type: "string", default: "default" },
      "proxy-admin": { type: "string" },
      "proxy-secret-file": { type: "string" },
      "allow-loopback": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  }).values;

function firstCluster(values: Values): FirstCluster | null {
  if (values.cluster === undefined) return null;
  const nodes = values.nodes
    .split(",")
    .filter((text) => text !== "")
    .map((text) => {
      const [id = "", address] = text.split("=", 2);
      return { id, addresses: address === undefined ? {} : { default: address } };
    });
  const addressDriver = AddressDriverKind.parse(values["address-driver"]);
  return { id: values.cluster, nodes, addressDriver, timers: TimerProfile.parse(values.timers) };
}

function proxyOf(values: Values) {
  const { "proxy-admin": adminUrl, "proxy-secret-file": secretFile } = values;
  if (adminUrl === undefined || secretFile === undefined) return null;
  return { adminUrl, secret: readFileSync(secretFile, "utf8").trim() };
}

const Package = z.object({ version: z.string() });

async function main(): Promise<void> {
  const values = readArguments();
  if (values.state === undefined) throw new Error("--state DIR is required");
  const packageFile = join(import.meta.dirname, "../package.json");
  const served = await serve({
    stateFolder: values.state,
    people: parsePlace(values.listen ?? `127.0.0.1:${values.port}`),
    agents: parsePlace(values["agent-listen"]),
    names: values.name,
    consoleFolder: CONSOLE_FOLDER,
    proxy: proxyOf(values),
    allowLoopback: values["allow-loopback"],
    version: Package.parse(JSON.parse(readFileSync(packageFile, "utf8"))).version,
    cluster: firstCluster(values),
  });
  // Before the line: whoever reads it may ask for the stop at once.
  stopOnSignal(served);
  process.stdout.write(values.json ? asJson(served) : asText(served));
}

function asJson({ close, caCertificate, ...facts }: Served): string {
  return `${JSON.stringify(facts)}\n`;
}

const asText = ({ url, agentUrl, secretFile, caFingerprint }: Served): string =>
  [
    "The control plane runs. Open this once in your browser (it holds the secret):",
    `  ${url}`,
    `Agents call    ${agentUrl}`,
    `Secret file    ${secretFile}`,
    `CA fingerprint ${caFingerprint}`,
    "",
  ].join("\n");

function stopOnSignal(served: Served): void {
  let isStopping = false;
  const stop = () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(0), STOP_MS_MAX).unref();
    served.close().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

main().catch((error) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
});
