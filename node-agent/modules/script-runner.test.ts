import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { processIds, readProcess } from "./process-table.ts";
import { TestModule, USER, until } from "./testing/test-module.ts";
import { boundUlog, boundUlogs, ULOG_FILES_MAX, ulogName } from "./ulog.ts";

let module: TestModule;
beforeEach(() => {
  module = new TestModule([
    { name: "SERVICES", value: "app, web" },
    { name: "PATH", value: "/nowhere" },
    { name: "not a name", value: "x" },
  ]);
});
afterEach(async () => await module.close());

const plain = (script: string) => ({ script, arguments: [], kind: "other" }) as const;
const stop = (script: string) => ({ script, arguments: ["PRIM"], kind: "stop" }) as const;
const forced = (script: string) => ({ script, arguments: ["force"], kind: "forceStop" }) as const;

describe("a script", () => {
  test("gets the documented variables and nothing of the agent's own", async () => {
    process.env["MIRRORFARM_TEST_SECRET"] = "canary";
    module.script("start_prim", "env; pwd");
    const { ulog, done } = module.scripts().run(plain("start_prim"));
    expect(await done).toMatchObject({ kind: "exited", code: 0 });
    const output = `\n${readFileSync(join(module.logs, ulog ?? ""), "utf8")}`;
    const { commands, bin, conf, userVar, state, product } = module.directories;
    expect(output).toContain(`\nSAFE=${product}\n`);
    expect(output).toContain("\nSAFEMODULE=shop\n");
    expect(output).toContain(`\nSAFEBIN=${commands}\n`);
    expect(output).toContain(`\nSAFEUSERBIN=${bin}\n`);
    expect(output).toContain(`\nSAFEUSERCONF=${conf}\n`);
    expect(output).toContain(`\nSAFEVAR=${state}\n`);
    expect(output).toContain(`\nSAFEUSERVAR=${userVar}\n`);
    expect(output).toContain("\nSERVICES=app, web\n");
    expect(output).toContain("\nMIRRORFARM_MODULE=shop\n");
    expect(output).toContain(`PATH=${commands}:`);
    expect(output).not.toContain("canary");
    expect(output.trimEnd().endsWith(bin)).toBe(true);
    delete process.env["MIRRORFARM_TEST_SECRET"];
  });

  test("that is absent, or without <user>, is skipped", async () => {
    module.script("start_prim", "record ran");
    expect(await module.scripts().run(plain("stop_prim")).done).toEqual({ kind: "absent" });
    expect(await module.scripts(null).run(plain("start_prim")).done).toEqual({ kind: "absent" });
    expect(module.recorded()).toEqual([]);
  });

  test("without its executable bit is not run, and that is said", async () => {
    module.script("start_prim", "record ran", 0o644);
    const { done } = module.scripts().run(plain("start_prim"));
    expect(await done).toEqual({ kind: "notExecutable" });
    expect(module.recorded()).toEqual([]);
  });

  test("reports its exit code, and the signal that ended it", async () => {
    module.script("start_prim", "exit 7");
    module.script("start_both", "kill -TERM $$");
    const scripts = module.scripts();
    expect(await scripts.run(plain("start_prim")).done).toMatchObject({ kind: "exited", code: 7 });
    expect(await scripts.run(plain("start_both")).done).toMatchObject({ signal: "SIGTERM" });
  });

  test("may leave a daemon behind that goes on writing to the log", async () => {
    module.script("start_prim", "(while :; do echo tick; sleep 0.02; done) & exit 0");
    const { ulog, done } = module.scripts().run(plain("start_prim"));
    expect(await done).toMatchObject({ kind: "exited", code: 0 });
    const size = () => statSync(join(module.logs, ulog ?? "")).size;
    const before = size();
    await until(() => size() > before);
    expect(module.containment.isEmpty()).toBe(false);
  });
});

describe("timeouts", () => {
  test("a stop script is killed with its whole tree, and the application is not", async () => {
    module.script("start_prim", "setsid sleep 61 & exit 0");
    module.script("stop_prim", "trap '' TERM; sleep 62 & sleep 63");
    const scripts = module.scripts({ ...USER, niceStopTimeoutMs: 200 });
    await scripts.run(plain("start_prim")).done;
    const outcome = await scripts.run(stop("stop_prim")).done;
    expect(outcome.kind).toBe("timedOut");
    await until(() => sleepersIn(module).join() === "61");
  });

  test("the plain and the forced call have their own", async () => {
    module.script("stop_prim", "sleep 60");
    const scripts = module.scripts({
      ...USER,
      niceStopTimeoutMs: 60_000,
      forceStopTimeoutMs: 100,
    });
    expect(await scripts.run(forced("stop_prim")).done).toMatchObject({ kind: "timedOut" });
  });

  test("a start script is not timed until something else is wanted", async () => {
    module.script("start_prim", "sleep 60");
    const scripts = module.scripts({ ...USER, niceStopTimeoutMs: 1, forceStopTimeoutMs: 1 });
    const running = scripts.run({ script: "start_prim", arguments: [], kind: "start" });
    await until(() => sleepersIn(module).length === 1);
    running.cut(50);
    expect((await running.done).kind).toBe("timedOut");
  });
});

describe("logs", () => {
  test("are named after script and time", () => {
    const at = new Date(2026, 10, 3, 4, 5, 6);
    expect(ulogName("start_prim", at)).toBe("userlog_2026_11_03T040506_start_prim.ulog");
  });

  test("stay under userlogsize and keep the newest lines aside", async () => {
    module.script("start_prim", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done");
    const scripts = module.scripts({ ...USER, userlogSizeBytes: 4_096 });
    const { ulog, done } = scripts.run(plain("start_prim"));
    await done;
    const path = join(module.logs, ulog ?? "");
    await until(() => statSync(path).size <= 4_096);
    expect(readFileSync(`${path}.1`, "utf8").endsWith("line 2000\n")).toBe(true);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(4_096);
  });

  test("with logging=none there is none", async () => {
    module.script("start_prim", "echo words");
    const { ulog, done } = module.scripts({ ...USER, logging: "none" }).run(plain("start_prim"));
    await done;
    expect(ulog).toBe(null);
    expect(readdirSync(module.logs)).toEqual([]);
  });

  test("a log that is appended to while it is cut loses nothing after the cut", () => {
    const path = join(module.logs, "userlog_2026_01_01T000000_x.ulog");
    writeFileSync(path, "a".repeat(100));
    boundUlog(path, 10);
    writeFileSync(path, "b", { flag: "a" });
    expect(readFileSync(path, "utf8")).toBe("b");
  });

  test("their number is bounded, and the newest of each script stays", () => {
    const directory = mkdtempSync(join(tmpdir(), "mirrorfarm-ulogs-"));
    const name = (second: number, script: string): string =>
      ulogName(script, new Date(2026, 0, 1, 0, 0, second));
    writeFileSync(join(directory, name(0, "start_prim")), "daemon writes here");
    for (let second = 1; second <= ULOG_FILES_MAX + 20; second += 1) {
      writeFileSync(join(directory, name(second, "transition")), "");
    }
    boundUlogs(directory, 1_000);
    const left = readdirSync(directory);
    expect(left).toHaveLength(ULOG_FILES_MAX);
    expect(left).toContain(name(0, "start_prim"));
    expect(left).toContain(name(ULOG_FILES_MAX + 20, "transition"));
    rmSync(directory, { recursive: true });
  });
});

/** Arguments of the `sleep` processes that still live in the module's containment. */
function sleepersIn(of: TestModule): readonly string[] {
  const inside = new Set(of.containment.processIds());
  return processIds()
    .filter((id) => inside.has(id) && readProcess(id)?.command === "sleep")
    .map((id) => readFileSync(`/proc/${id}/cmdline`, "utf8").split("\0")[1] ?? "");
}
