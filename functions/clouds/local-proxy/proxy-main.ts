/**
 * The proxy process. `node functions/clouds/local-proxy/proxy-main.ts --admin 127.0.0.1:0 --secret-file FILE
 * --state FILE --listen MODULE=HOST:PORT/TARGETPORT [--listen …] [--node NAME=HOST …]`. `--node` says
 * where clients reach a node when that is not where its peers do. Prints one line of JSON when all
 * ports are open.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { parseArgs } from "node:util";
import { type ProxyListener, TcpProxy } from "./proxy.ts";
import { proxyAdmin } from "./proxy-admin.ts";

const LISTEN = /^([A-Za-z0-9_-]+)=([0-9.]+):([0-9]{1,5})\/([0-9]{1,5})$/;

function parseListen(text: string): ProxyListener {
  const [, module = "", host = "", port = "", targetPort = ""] = LISTEN.exec(text) ?? [];
  if (module === "" || isIP(host) === 0) {
    throw new Error(`--listen ${text}: want MODULE=HOST:PORT/TARGETPORT`);
  }
  return { module, host, port: Number(port), targetPort: Number(targetPort) };
}

function parseNode(text: string): [string, string] {
  const [name = "", host = ""] = text.split("=", 2);
  if (name === "" || isIP(host) === 0) throw new Error(`--node ${text}: want NAME=ADDRESS`);
  return [name, host];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      admin: { type: "string", default: "127.0.0.1:0" },
      "secret-file": { type: "string" },
      state: { type: "string" },
      listen: { type: "string", multiple: true, default: [] },
      node: { type: "string", multiple: true, default: [] },
    },
  });
  const [adminHost = "", adminPort = ""] = values.admin.split(":");
  const { "secret-file": secretFile, state: stateFile } = values;
  if (secretFile === undefined || stateFile === undefined) {
    throw new Error("--secret-file and --state are required");
  }
  if (!adminHost.startsWith("127.")) throw new Error("--admin must be a loopback address");
  const hosts = new Map(values.node.map(parseNode));
  const proxy = new TcpProxy({ listeners: values.listen.map(parseListen), stateFile, hosts });
  await proxy.listen();
  const admin = proxyAdmin(proxy, readFileSync(secretFile, "utf8").trim());
  admin.listen(Number(adminPort), adminHost, () => {
    const bound = admin.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    const ports = proxy.status().map(({ module, listen }) => ({ module, listen }));
    process.stdout.write(`${JSON.stringify({ admin: `http://${adminHost}:${port}`, ports })}\n`);
  });
  const stop = () => {
    admin.close();
    admin.closeAllConnections();
    void proxy.close();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

await main();
