import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ProcConfig } from "#model/module/config.ts";
import { moduleConfig } from "../modules/testing/test-config.ts";
import { TestModule, until } from "../modules/testing/test-module.ts";
import type { CheckResult } from "./checker.ts";
import { CheckerSet } from "./checker-set.ts";

let module: TestModule;
let set: CheckerSet | null;
let results: Map<string, CheckResult | null>;
beforeEach(() => {
  module = new TestModule();
  results = new Map();
  set = null;
});
afterEach(async () => {
  set?.stop();
  await module.close();
});

function open(parts: Parameters<typeof moduleConfig>[0]): CheckerSet {
  set = new CheckerSet({
    config: moduleConfig(parts),
    moduleId: "shop",
    scripts: module.scripts(),
    systemd: null,
    processes: () => [],
    onResult: (resource, result) => results.set(resource, result),
  });
  return set;
}

const proc: ProcConfig = {
  name: "app",
  isService: false,
  nameRegex: null,
  argRegex: null,
  atLeast: 1,
  atMost: -1,
  class: "prim",
  action: { kind: "restart" },
  restartServices: null,
  startAfter: 0,
};

test("a checker runs while its role does, and its resource ends with it", async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const common = { ident: "web", when: "prim", action: "restart", intervalMs: 5 } as const;
  const checks = [{ ...common, kind: "tcp", addr: "127.0.0.1", port, timeoutMs: 1_000 }] as const;
  const checkers = open({ checks });
  checkers.settledIn("SECOND");
  expect(results.size).toBe(0);
  checkers.settledIn("PRIM");
  await until(() => results.get("tcp.web")?.status === "up");
  results.clear();
  checkers.moving("PRIM", "ALONE");
  expect(results.get("tcp.web")).not.toBe(null);
  checkers.moving("PRIM", "WAIT");
  expect(results.get("tcp.web")).toBe(null);
  server.close();
});

test("a watched process is looked at one poll after the start", async () => {
  const checkers = open({ errd: { pollMs: 20, procs: [proc] } });
  checkers.settledIn("PRIM");
  expect(results.size).toBe(0);
  await until(() => results.get("proc.app")?.status === "down");
});

test("a class of the author's own runs once a command enables it", async () => {
  const checkers = open({ errd: { pollMs: 5, procs: [{ ...proc, class: "batch" }] } });
  checkers.settledIn("PRIM");
  checkers.setClass("batch", true);
  await until(() => results.get("proc.app")?.status === "down");
  checkers.setClass("batch", false);
  expect(results.get("proc.app")).toBe(null);
});

test("a custom checker gets module, resource and its arguments, and runs again when it ends", async () => {
  module.script("look", 'record "$@"; exit 1');
  const checks = [
    { kind: "custom", ident: "db", when: "pre", action: "wait", exec: "look", arg: "a b" },
  ] as const;
  open({ checks }).settledIn("WAIT");
  await until(() => module.recorded().length >= 2);
  expect(module.recorded()[0]).toBe("shop custom.db a b");
  expect(results.get("custom.db")?.status).toBe("unknown");
});

test("a custom checker that loops is killed when its time is over", async () => {
  module.script("look", "record began; sleep 60");
  const checks = [
    { kind: "custom", ident: "db", when: "pre", action: "wait", exec: "look", arg: null },
  ] as const;
  const checkers = open({ checks });
  checkers.settledIn("WAIT");
  await until(() => module.recorded().length === 1);
  checkers.settledIn("STOP");
  await until(() => module.containment.isEmpty());
});
