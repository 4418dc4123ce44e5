import { spawn } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { readProcess } from "../modules/process-table.ts";
import { until } from "../modules/testing/test-module.ts";
import { intfChecker, ipChecker, moduleChecker, pingChecker } from "./address-checkers.ts";
import type { CheckResult, PolledChecker } from "./checker.ts";
import { startPolledWatch } from "./polled-watch.ts";
import {
  checkProcesses,
  judgeCount,
  posixRegex,
  processMatcher,
  snapshotProcesses,
} from "./process-watch.ts";
import { tcpChecker } from "./tcp-checker.ts";

let cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps) cleanUp();
  cleanUps = [];
});

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanUps.push(() => server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const look = (checker: PolledChecker): Promise<CheckResult> =>
  checker.check(new AbortController().signal);
const tcp = (port: number, timeoutMs = 1_000): PolledChecker =>
  tcpChecker({ addr: "127.0.0.1", port, intervalMs: 20, timeoutMs });

describe("tcp", () => {
  test("is up while the port accepts, down once it does not", async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await listen(server);
    expect(await look(tcp(port))).toEqual({ status: "up", detail: "connected" });
    await new Promise((resolve) => server.close(resolve));
    expect(await look(tcp(port))).toEqual({ status: "down", detail: "ECONNREFUSED" });
  });

  test("tries a refused connection once more before it says down", async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const checker = tcpChecker({ addr: "127.0.0.1", port, intervalMs: 1_000, timeoutMs: 1_000 });
    const looking = look(checker);
    await listen(server, port);
    expect((await looking).status).toBe("up");
  });

  test("a cancelled look says nothing about the service", async () => {
    const aborted = AbortSignal.abort();
    expect((await tcp(9).check(aborted)).status).toBe("unknown");
  });
});

describe("addresses", () => {
  test("ip is up for an address of this machine alone", async () => {
    expect((await look(ipChecker({ addr: "127.0.0.1", intervalMs: 1 }))).status).toBe("up");
    expect((await look(ipChecker({ addr: "192.0.2.7", intervalMs: 1 }))).status).toBe("down");
  });

  test("intf is up while an interface of the subnet is", async () => {
    const eth0 = [{ address: "10.1.0.3", netmask: "255.255.0.0", mac: "02:00:00:00:00:01" }];
    const check = { localAddr: "10.1.9.9" };
    expect((await look(intfChecker(check, () => ({ eth0 })))).detail).toBe("eth0");
    expect((await look(intfChecker(check, () => ({})))).status).toBe("down");
  });

  test("ping tells an answer from none", async () => {
    const ping = (addr: string) => pingChecker({ addr, intervalMs: 1, timeoutMs: 1_000 });
    expect(["up", "unknown"]).toContain((await look(ping("127.0.0.1"))).status);
  });

  test("module is up only while the other module's probe says so", async () => {
    let status = 200;
    const server = createHttpServer((request, response) => {
      response.statusCode = request.url === "/var/modules/db/ready.txt" ? status : 400;
      response.end();
    });
    const port = await listen(server);
    const check = { name: "db", addr: "127.0.0.1", port, intervalMs: 1, timeoutMs: 1_000 };
    expect((await look(moduleChecker(check))).status).toBe("up");
    status = 404;
    expect((await look(moduleChecker(check))).status).toBe("down");
    expect((await look(moduleChecker({ ...check, port: 1 }))).status).toBe("down");
  });
});

describe("a polled watch", () => {
  const answering = (results: readonly CheckResult["status"][]): PolledChecker => {
    let count = 0;
    return {
      intervalMs: 1,
      check: async () => {
        const status = results[Math.min(count, results.length - 1)] ?? "unknown";
        count += 1;
        return { status, detail: String(count) };
      },
    };
  };

  test("tells no failure while a started application may still be on its way", async () => {
    const seen: CheckResult[] = [];
    const checker = answering(["down", "down", "up", "down"]);
    const watch = startPolledWatch("tcp.web", checker, 60_000, (_, result) => seen.push(result));
    cleanUps.push(() => watch.stop());
    await until(() => seen.length >= 2);
    expect(seen.slice(0, 2).map(({ status }) => status)).toEqual(["up", "down"]);
  });

  test("tells it once the grace is over", async () => {
    const seen: CheckResult[] = [];
    const watch = startPolledWatch("tcp.web", answering(["down"]), 30, (_, result) =>
      seen.push(result),
    );
    cleanUps.push(() => watch.stop());
    await until(() => seen.length > 0);
    expect(seen[0]?.status).toBe("down");
  });

  test("takes a check that throws for no result", async () => {
    const seen: CheckResult[] = [];
    const broken = { intervalMs: 1, check: () => Promise.reject(new Error("bug")) };
    const watch = startPolledWatch("tcp.web", broken, 0, (_, result) => seen.push(result));
    cleanUps.push(() => watch.stop());
    await until(() => seen.length > 0);
    expect(seen[0]?.status).toBe("unknown");
  });

  test("is silent after it was stopped", async () => {
    const seen: CheckResult[] = [];
    let finish: (result: CheckResult) => void = () => undefined;
    const slow: PolledChecker = {
      intervalMs: 1,
      check: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    };
    const watch = startPolledWatch("tcp.web", slow, 0, (_, result) => seen.push(result));
    watch.stop();
    finish({ status: "down", detail: "late" });
    await Promise.resolve();
    await Promise.resolve();
    expect(seen).toEqual([]);
  });
});

describe("processes", () => {
  const proc = {
    name: "sleep",
    isService: false,
    nameRegex: null,
    argRegex: null,
    atLeast: 1,
    atMost: -1,
    class: "prim",
    action: { kind: "restart" },
    restartServices: null,
    startAfter: 0,
  } as const;

  test("are counted by name and arguments among those that really run", async () => {
    const seconds = `8${process.pid}`;
    const child = spawn("sleep", [seconds]);
    cleanUps.push(() => child.kill("SIGKILL"));
    await until(() => readProcess(child.pid ?? 0)?.command === "sleep");
    const mine = { ...proc, argRegex: `^sleep[[:space:]]+${seconds}$` };
    const check = async () => await checkProcesses([mine], () => snapshotProcesses(null), null);
    expect(await check()).toEqual([["proc.sleep", { status: "up", detail: "1 running" }]]);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    expect((await check())[0]?.[1]).toEqual({ status: "down", detail: "0 running, at least 1" });
  });

  test("a name is compared as the kernel keeps it, cut to 15 characters", () => {
    const matches = processMatcher({ ...proc, name: "a-very-long-command-name" });
    expect(matches({ command: "a-very-long-com", commandLine: "" })).toBe(true);
    expect(matches({ command: "a-very-long", commandLine: "" })).toBe(false);
  });

  test("a regular expression takes the place of the name", () => {
    const matches = processMatcher({ ...proc, nameRegex: "^postg" });
    expect(matches({ command: "postgres", commandLine: "" })).toBe(true);
    expect(matches({ command: "sleep", commandLine: "" })).toBe(false);
  });

  test("bracket classes are POSIX, and one that does not compile matches nothing", () => {
    expect(posixRegex("^[[:alpha:]_]+[[:digit:]]$").test("abc_1")).toBe(true);
    expect(posixRegex("(").test("(")).toBe(false);
  });

  test.each([
    [{ atLeast: 2, atMost: -1 }, 1, "down"],
    [{ atLeast: 2, atMost: -1 }, 2, "up"],
    [{ atLeast: -1, atMost: 0 }, 1, "down"],
    [{ atLeast: -1, atMost: 0 }, 0, "up"],
    [{ atLeast: 1, atMost: 2 }, 3, "down"],
  ])("bounds %o with %i running are %s", (bounds, running, status) => {
    expect(judgeCount({ name: "x", ...bounds }, running).status).toBe(status);
  });

  test("a service is unknown where nobody can be asked", async () => {
    const service = { ...proc, isService: true };
    expect((await checkProcesses([service], () => [], null))[0]?.[1].status).toBe("unknown");
  });
});
