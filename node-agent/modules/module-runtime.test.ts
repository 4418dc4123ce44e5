import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ProcConfig } from "#model/module/config.ts";
import { writeCommandDirectory } from "./command-directory.ts";
import {
  ModuleRuntime,
  NEW_RUNTIME_RECORD,
  type RuntimeRecord,
  type WantedAction,
} from "./module-runtime.ts";
import { processIds, readProcess, signal } from "./process-table.ts";
import { runVerb } from "./run-verb.ts";
import { parseVerb, type VerbRequest } from "./safekit-verbs.ts";
import { moduleConfig } from "./testing/test-config.ts";
import { TestModule, until } from "./testing/test-module.ts";

let module: TestModule;
let runtimes: ModuleRuntime[];
let wanted: { action: WantedAction; reason: string }[];
let notices: string[];
let record: RuntimeRecord;
beforeEach(() => {
  module = new TestModule();
  [runtimes, wanted, notices, record] = [[], [], [], NEW_RUNTIME_RECORD];
});
afterEach(async () => {
  for (const runtime of runtimes) runtime.close();
  await module.close();
});

function open(parts: Parameters<typeof moduleConfig>[0], initial = NEW_RUNTIME_RECORD) {
  const runtime = new ModuleRuntime({
    moduleId: "shop",
    nodeId: "node1",
    config: moduleConfig(parts),
    directories: module.directories,
    containment: module.containment,
    systemd: null,
    initial,
    sparedProcessIds: [],
    watchesOwnProcessesOnly: true,
    holdsAddresses: false,
    mountPoints: () => [],
    nowMs: () => performance.now(),
    save: (saved) => {
      record = saved;
    },
    onChange: () => undefined,
    onScript: () => undefined,
    onWanted: (action, reason) => wanted.push({ action, reason }),
    onNotice: (text) => notices.push(text),
  });
  runtimes.push(runtime);
  runtime.start();
  return runtime;
}

const PROC: ProcConfig = {
  name: "sleep",
  isService: false,
  nameRegex: null,
  argRegex: "^sleep 91$",
  atLeast: 1,
  atMost: -1,
  class: "prim",
  action: { kind: "restart" },
  restartServices: null,
  startAfter: 0,
};
const errd = (parts: Partial<ProcConfig>) => ({ pollMs: 20, procs: [{ ...PROC, ...parts }] });
const applications = (): readonly number[] => {
  const inside = new Set(module.containment.processIds());
  return processIds().filter((id) => inside.has(id) && readProcess(id)?.command === "sleep");
};
async function startApplication(runtime: ModuleRuntime): Promise<number> {
  // Waits for the exec, so that the first look cannot come between it and the fork.
  const isUp = 'until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done';
  module.script("start_prim", `record start_prim; setsid sleep 91 & ${isUp}`);
  runtime.setTarget("PRIM", "start");
  await until(() => runtime.checks.resources.get("proc.sleep")?.state === "up");
  return applications()[0] ?? 0;
}

describe("a module whose application dies", () => {
  test("is restarted in place, and is Ready again", async () => {
    const runtime = open({ errd: errd({}) });
    const first = await startApplication(runtime);
    expect(runtime.view).toMatchObject({ state: "PRIM", status: "Ready", mayRun: true });
    signal(first, "SIGKILL");
    await until(() => ![first, undefined].includes(applications()[0]));
    await until(() => runtime.checks.resources.get("proc.sleep")?.state === "up");
    expect(runtime.view).toMatchObject({ state: "PRIM", status: "Ready" });
    expect(notices.join()).toContain("restart (1 of 3): rule proc_sleep (proc.sleep)");
    expect(wanted).toEqual([]);
  });

  test("asks to be stopped when it dies for the fourth time", async () => {
    const runtime = open({ errd: errd({}) });
    module.script("start_prim", "record start_prim");
    runtime.setTarget("PRIM", "start");
    await until(() => wanted.length > 0);
    expect(wanted).toEqual([
      { action: { kind: "stop" }, reason: expect.stringContaining("stop called by maxloop") },
    ]);
    expect(module.recorded().filter((name) => name === "start_prim")).toHaveLength(4);
  });

  test("may have a handler of its own, which is asked once and whose failure is not hidden", async () => {
    module.script("mend", "record mend; exit 1");
    const action = { kind: "handler", executable: "mend" } as const;
    const runtime = open({ errd: errd({ action }) });
    module.script("start_prim", "record start_prim");
    runtime.setTarget("PRIM", "start");
    await until(() => wanted.length > 0);
    expect(wanted[0]?.action).toEqual({ kind: "stopstart" });
    expect(module.recorded().slice(0, 2)).toEqual(["start_prim", "mend"]);
  });

  test("that acts on the whole module is asked for once, not at every poll", async () => {
    const runtime = open({ errd: errd({ action: { kind: "stopstart" } }) });
    module.script("start_prim", "record start_prim");
    runtime.setTarget("PRIM", "start");
    await until(() => wanted.length > 0);
    runtime.checks.set("custom.other", { status: "up", detail: "" });
    runtime.checks.set("custom.other", { status: "down", detail: "" });
    expect(wanted).toHaveLength(1);
  });
});

describe("a fenced module", () => {
  test("stops where it is and goes on when the same epoch is granted again", async () => {
    const runtime = open({ errd: errd({}) });
    const application = await startApplication(runtime);
    expect((await runtime.freeze(5_000)).isComplete).toBe(true);
    await runtime.unfence();
    expect(applications()).toEqual([application]);
    expect(runtime.view.state).toBe("PRIM");
    expect(module.recorded()).toEqual(["start_prim"]);
  });

  test("is killed for good when its role is lost, also while frozen", async () => {
    const runtime = open({ errd: errd({}) });
    await startApplication(runtime);
    module.script("stop_prim", 'record stop_prim "$1"');
    await runtime.freeze(5_000);
    const report = await runtime.kill("WAIT", 5_000);
    expect(report).toEqual({ isComplete: true, problems: [], otherProcessIds: [] });
    await runtime.lifeCycle.settled();
    expect(applications()).toEqual([]);
    expect(runtime.view.state).toBe("WAIT");
    expect(module.recorded()).toEqual(["start_prim", "stop_prim PRIM"]);
    expect(wanted).toEqual([]);
  });
});

test("a restarted agent adopts the running application instead of starting it again", async () => {
  const before = open({ errd: errd({}) });
  const application = await startApplication(before);
  before.close();
  expect(record.lifeCycle).toEqual({ state: "PRIM", to: null });
  const after = open({ errd: errd({}) }, record);
  expect(after.view).toMatchObject({ state: "PRIM", status: "Ready" });
  await until(() => after.checks.resources.get("proc.sleep")?.state === "up");
  expect(applications()).toEqual([application]);
  expect(module.recorded()).toEqual(["start_prim"]);
});

test("a wait rule holds the module in WAIT and says which, until its resource is up", async () => {
  const ping = { kind: "custom", ident: "net", when: "pre", action: "wait", arg: null } as const;
  module.script("look", "sleep 60");
  const runtime = open({ checks: [{ ...ping, exec: "look" }] });
  runtime.setTarget("WAIT", "start");
  await runtime.lifeCycle.settled();
  expect(runtime.view).toMatchObject({ state: "WAIT", status: "Transient", mayRun: false });
  runtime.checks.set("custom.net", { status: "down", detail: "" });
  expect(runtime.view).toMatchObject({ status: "NotReady", mayRun: false });
  expect(runtime.view.checkReason).toContain("c_net (custom.net)");
  runtime.checks.set("custom.net", { status: "up", detail: "" });
  expect(runtime.view).toMatchObject({ mayRun: true });
});

describe("the safekit command", () => {
  let server: Server;
  let requests: VerbRequest[];
  afterEach(() => server?.close());

  /** What the agent's local API does: hands the verb to the runtime and the answer back. */
  async function serve(runtime: ModuleRuntime, log: string[]): Promise<string> {
    const socketPath = join(module.directory, "agent.sock");
    requests = [];
    server = createServer((request, response) => {
      let text = "";
      request.on("data", (part) => {
        text += part;
      });
      request.on("end", () => {
        const verb: VerbRequest = JSON.parse(text);
        requests.push(verb);
        const ports = {
          log: (line: string) => log.push(line),
          ask: (action: WantedAction, reason: string) => wanted.push({ action, reason }),
        };
        response.end(JSON.stringify(runVerb(runtime, verb, ports)));
      });
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return socketPath;
  }

  const install = (socketPath: string): void => {
    const command = fileURLToPath(new URL("safekit-command.ts", import.meta.url));
    writeCommandDirectory(module.directories.commands, process.execPath, command, socketPath);
  };

  test("lets a script log, set its resource, read a state and stop the module", async () => {
    const log: string[] = [];
    const runtime = open({});
    install(await serve(runtime, log));
    module.script(
      "start_prim",
      'safekit printi "the words"; safekit set -r custom.db -v down -i me; safekit state > $SAFEUSERVAR/state; record $?; safekit stop -i start_prim; record $?',
    );
    runtime.setTarget("PRIM", "start");
    await runtime.lifeCycle.settled();
    expect(log).toEqual(["the words"]);
    expect(runtime.checks.resources.get("custom.db")?.state).toBe("down");
    expect(module.read("var/state")).toBe("PRIM Transient\n");
    expect(module.recorded()).toEqual(["3", "0"]);
    expect(wanted).toEqual([{ action: { kind: "stop" }, reason: "stop called by start_prim" }]);
  });

  test("says so and exits 7 when no agent answers", async () => {
    install(join(module.directory, "nobody.sock"));
    const program = join(module.directories.commands, "safekit");
    const error = await new Promise<{ code: unknown; text: string }>((resolve) => {
      const env = { SAFEMODULE: "shop", PATH: process.env["PATH"] ?? "" };
      execFile(program, ["printi", "x"], { env }, (failure, _, text) =>
        resolve({ code: failure?.code, text }),
      );
    });
    expect(error.code).toBe(7);
    expect(error.text).toContain("no agent answers");
  });
});

describe("verbs", () => {
  test("name their module by -m or by SAFEMODULE", () => {
    expect(parseVerb(["restart", "-m", "pg", "-i", "me"], "shop")).toMatchObject({
      ok: true,
      value: { verb: "restart", moduleId: "pg", identity: "me" },
    });
    expect(parseVerb(["restart"], "shop")).toMatchObject({ value: { moduleId: "shop" } });
    expect(parseVerb(["restart"], null)).toMatchObject({ ok: false });
    expect(parseVerb(["explode"], "shop")).toMatchObject({ ok: false });
    expect(parseVerb(["restart", "--what"], "shop")).toMatchObject({ ok: false });
  });

  const ports = {
    log: () => undefined,
    ask: (action: WantedAction) => wanted.push({ action, reason: "" }),
  };
  const verb = (...words: string[]): VerbRequest => {
    const parsed = parseVerb(words, "shop");
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  };

  test("with an identity count towards maxloop, and a person's verb begins anew", () => {
    const runtime = open({});
    const run = (...words: string[]) => runVerb(runtime, verb(...words), ports).exitCode;
    expect([run("incloop"), run("incloop"), run("incloop")]).toEqual([0, 0, 0]);
    expect(run("checkloop")).toBe(1);
    run("stopstart", "-i", "me");
    expect(wanted.map(({ action }) => action.kind)).toEqual(["stop"]);
    run("stopstart");
    expect(wanted.map(({ action }) => action.kind)).toEqual(["stop", "stopstart"]);
    expect(run("checkloop")).toBe(0);
  });

  test("set no resource of a real checker", () => {
    const runtime = open({});
    expect(runVerb(runtime, verb("set", "-r", "tcp.web", "-v", "up"), ports).exitCode).toBe(1);
    expect(runVerb(runtime, verb("set", "-r", "custom.x", "-v", "maybe"), ports).exitCode).toBe(1);
    expect(runVerb(runtime, verb("get", "-r", "custom.x"), ports).output).toBe("init\n");
  });
});
