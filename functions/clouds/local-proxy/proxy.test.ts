import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import type { AddressWant } from "../../reconciler/address-driver.ts";
import { localProxyDriver } from "./local-proxy-driver.ts";
import { TcpProxy } from "./proxy.ts";
import { proxyAdmin } from "./proxy-admin.ts";

const BOUND_MS = 5_000;
let folder = "";
const undo: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "proxy-"));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  rmSync(folder, { recursive: true, force: true });
});

/** A node's service: greets with its name and echoes. All nodes listen on the same port. */
async function service(host: string, port: number): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`${host}\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, host, () => resolve()));
  undo.push(() => closeNow(server));
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}
const closeNow = (server: Server) => new Promise((resolve) => server.close(resolve));

async function startProxy(
  targetPort: number,
  hosts: ReadonlyMap<string, string> = new Map(),
): Promise<{ proxy: TcpProxy; port: number }> {
  const listeners = [{ module: "shop", host: "127.0.0.1", port: 0, targetPort }];
  const proxy = new TcpProxy({ listeners, stateFile: join(folder, "targets.json"), hosts });
  await proxy.listen();
  undo.push(() => proxy.close());
  const port = Number(proxy.status()[0]?.listen.split(":")[1]);
  return { proxy, port };
}

/** Connects and resolves with the first line, or the error's code. */
function greet(port: number): Promise<{ line: string; socket: Socket }> {
  const socket = connect(port, "127.0.0.1");
  undo.push(() => socket.destroy());
  return new Promise((resolve, reject) => {
    socket.setTimeout(BOUND_MS, () => reject(new Error("no answer")));
    socket.once("data", (data) => resolve({ line: data.toString().trim(), socket }));
    socket.once("error", (error) => resolve({ line: String(Reflect.get(error, "code")), socket }));
  });
}
const target = (epoch: number, node: 1 | 2) => ({
  epoch,
  nodeId: `node${node}`,
  host: `127.0.0.1${node}`,
});

describe("the proxy", () => {
  test("forwards to its target, and to nobody while it has none", async () => {
    const port = await service("127.0.0.11", 0);
    const { proxy, port: listen } = await startProxy(port);
    expect((await greet(listen)).line).toBe("ECONNRESET");
    expect(proxy.setTarget("shop", target(1, 1))).toBe("set");
    const { line, socket } = await greet(listen);
    expect(line).toBe("127.0.0.11");
    const echoed = new Promise((resolve) => socket.once("data", (data) => resolve(String(data))));
    socket.write("ping");
    expect(await echoed).toBe("ping");
  });

  test("resets connections to the old target when it changes, and sends new ones on", async () => {
    const port = await service("127.0.0.11", 0);
    await service("127.0.0.12", port);
    const { proxy, port: listen } = await startProxy(port);
    proxy.setTarget("shop", target(1, 1));
    const { socket } = await greet(listen);
    const ended = new Promise<string>((resolve) => {
      socket.once("error", (error) => resolve(String(Reflect.get(error, "code"))));
      socket.once("close", () => resolve("closed"));
    });
    expect(proxy.setTarget("shop", target(2, 2))).toBe("set");
    expect(await ended).toBe("ECONNRESET");
    expect((await greet(listen)).line).toBe("127.0.0.12");
  });

  test("refuses an older epoch, and another node in the same one", async () => {
    const { proxy } = await startProxy(1);
    proxy.setTarget("shop", target(5, 1));
    expect(proxy.setTarget("shop", target(4, 2))).toBe("olderEpoch");
    expect(proxy.setTarget("shop", target(5, 2))).toBe("otherNodeSameEpoch");
    expect(proxy.setTarget("other", target(6, 2))).toBe("unknownModule");
    expect(proxy.status()[0]?.target).toEqual(target(5, 1));
  });

  test("keeps connections when it is told again what it knows", async () => {
    const port = await service("127.0.0.11", 0);
    const { proxy, port: listen } = await startProxy(port);
    proxy.setTarget("shop", target(1, 1));
    const { socket } = await greet(listen);
    proxy.setTarget("shop", target(1, 1));
    proxy.setTarget("shop", target(2, 1));
    const echoed = new Promise((resolve) => socket.once("data", (data) => resolve(String(data))));
    socket.write("still here");
    expect(await echoed).toBe("still here");
  });

  test("goes where clients reach the node, when its peers reach it elsewhere", async () => {
    const port = await service("127.0.0.13", 0);
    const { proxy, port: listen } = await startProxy(port, new Map([["node1", "127.0.0.13"]]));
    proxy.setTarget("shop", target(1, 1));
    expect((await greet(listen)).line).toBe("127.0.0.13");
  });

  test("remembers its target over a restart, without anyone telling it", async () => {
    const port = await service("127.0.0.11", 0);
    const first = await startProxy(port);
    first.proxy.setTarget("shop", target(3, 1));
    await first.proxy.close();
    const { proxy, port: listen } = await startProxy(port);
    expect(proxy.status()[0]?.target).toEqual(target(3, 1));
    expect((await greet(listen)).line).toBe("127.0.0.11");
    expect(statSync(join(folder, "targets.json")).mode & 0o777).toBe(0o600);
  });
});

describe("the proxy's process", () => {
  test("opens its ports, says where they are, and ends when told to", async () => {
    const secretFile = join(folder, "secret");
    writeFileSync(secretFile, "secret-of-the-proxy", { mode: 0o600 });
    const program = join(import.meta.dirname, "proxy-main.ts");
    const files = ["--secret-file", secretFile, "--state", join(folder, "targets.json")];
    const ports = ["--listen", "shop=127.0.0.1:0/9", "--node", "node1=127.0.0.13"];
    const child = spawn(process.execPath, [program, ...files, ...ports], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    undo.push(() => child.kill("SIGKILL"));
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (chunk) => resolve(String(chunk)));
      child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
    });
    const told = Told.parse(JSON.parse(line));
    expect((await greet(Number(told.ports[0]?.listen.split(":")[1]))).line).toBe("ECONNRESET");
    const answer = await fetch(`${told.admin}/targets`, {
      headers: { authorization: "Bearer secret-of-the-proxy" },
    });
    expect(answer.status).toBe(200);
    await answer.text();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });
});
const Told = z.object({
  admin: z.string(),
  ports: z.array(z.object({ module: z.string(), listen: z.string() })),
});

describe("the driver of the proxy", () => {
  const want = (epoch: number, node: 1 | 2): AddressWant => ({
    clusterId: "prod",
    moduleId: "shop",
    epoch,
    nodeId: `node${node}`,
    nodeAddress: `127.0.0.1${node}`,
    nodes: ["node1", "node2"],
  });

  async function startAdmin(proxy: TcpProxy): Promise<string> {
    const admin = proxyAdmin(proxy, "secret-of-the-proxy");
    await new Promise<void>((resolve) => admin.listen(0, "127.0.0.1", () => resolve()));
    undo.push(() => closeNow(admin));
    const bound = admin.address();
    return `http://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
  }

  test("looks, steps and finds it done; an older epoch finds that it does not know", async () => {
    const { proxy } = await startProxy(1);
    const adminUrl = await startAdmin(proxy);
    const driver = localProxyDriver({ adminUrl, secret: "secret-of-the-proxy" });
    expect((await driver.observe(want(1, 1))).kind).toBe("differs");
    expect((await driver.step(want(1, 1))).kind).toBe("done");
    expect((await driver.observe(want(1, 1))).kind).toBe("agrees");
    await driver.step(want(2, 2));
    expect((await driver.observe(want(1, 1))).kind).toBe("unknown");
    expect((await driver.step(want(1, 1))).kind).toBe("retry");
    expect(proxy.status()[0]?.target?.nodeId).toBe("node2");
  });

  test("without the secret, or without a proxy, knows nothing", async () => {
    const { proxy } = await startProxy(1);
    const adminUrl = await startAdmin(proxy);
    const wrong = localProxyDriver({ adminUrl, secret: "wrong" });
    expect((await wrong.observe(want(1, 1))).kind).toBe("unknown");
    expect((await wrong.step(want(1, 1))).kind).toBe("retry");
    expect(proxy.status()[0]?.target).toBeNull();
    const away = localProxyDriver({ adminUrl: "http://127.0.0.1:9", secret: "x" });
    expect((await away.observe(want(1, 1))).kind).toBe("unknown");
  });
});
