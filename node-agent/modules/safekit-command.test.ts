import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceState } from "#model/module/failover/rule.ts";
import { countAction, type LoopCounter } from "#model/states/actions.ts";
import { writeCommandDirectory } from "./command-directory.ts";
import { runVerb, type VerbTarget } from "./run-verb.ts";
import { parseVerb, type VerbRequest, verbPath } from "./safekit-verbs.ts";
import { TestModule } from "./testing/test-module.ts";
import { VerbRequestSchema } from "./verb-schema.ts";

/** A module that notes what verbs did to it. */
class NotingTarget implements VerbTarget {
  readonly state = "PRIM";
  readonly status = "Transient";
  readonly notes: string[] = [];
  readonly resources = new Map<string, ResourceState>();
  #loop: LoopCounter = null;
  log = (text: string): void => void this.notes.push(`log ${text}`);
  act: VerbTarget["act"] = (action, reason) => void this.notes.push(`${action}: ${reason}`);
  resource = (name: string): ResourceState => this.resources.get(name) ?? "init";
  setResource: VerbTarget["setResource"] = (name, { status }) => this.resources.set(name, status);
  setClass = (name: string, isEnabled: boolean): void =>
    void this.notes.push(`class ${name} ${isEnabled}`);
  count: VerbTarget["count"] = (action, cause) => {
    const counted = countAction(this.#loop, action, cause, LIMITS, 0);
    this.#loop = counted.counter;
    return counted;
  };
  isLoopLimitReached = (): boolean =>
    countAction(this.#loop, "restart", "", LIMITS, 0).isLimitPassed;
  resetLoop = (): void => {
    this.#loop = null;
  };
}
const LIMITS = { actionsMax: 3, intervalMs: 86_400_000 };

function verb(...words: string[]): VerbRequest {
  const parsed = parseVerb(words, "shop");
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

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

  test("with an identity count towards maxloop, and a person's verb begins anew", () => {
    const target = new NotingTarget();
    const run = (...words: string[]): number => runVerb(target, verb(...words)).exitCode;
    expect([run("incloop"), run("incloop"), run("incloop")]).toEqual([0, 0, 0]);
    expect(run("checkloop")).toBe(1);
    run("stopstart", "-i", "me");
    expect(target.notes[0]).toContain("stop: stop called by maxloop");
    run("stopstart");
    expect(target.notes[1]).toBe("stopstart: stopstart called by a person");
    expect(run("checkloop")).toBe(0);
  });

  test("set no resource of a real checker", () => {
    const target = new NotingTarget();
    expect(runVerb(target, verb("set", "-r", "tcp.web", "-v", "up")).exitCode).toBe(1);
    expect(runVerb(target, verb("set", "-r", "custom.x", "-v", "maybe")).exitCode).toBe(1);
    expect(runVerb(target, verb("get", "-r", "custom.x")).output).toBe("init\n");
  });

  test("enable a class of watched processes", () => {
    const target = new NotingTarget();
    expect(runVerb(target, verb("errd", "enable", "batch")).exitCode).toBe(0);
    expect(runVerb(target, verb("errd", "list")).exitCode).toBe(1);
    expect(target.notes).toEqual(["class batch true"]);
  });

  test("pass the schema of the local API as they are sent", () => {
    const sent: unknown = JSON.parse(JSON.stringify(verb("stop", "-i", "start_prim")));
    expect(VerbRequestSchema.parse(sent)).toEqual(verb("stop", "-i", "start_prim"));
    expect(VerbRequestSchema.safeParse({ verb: "explode" }).success).toBe(false);
  });
});

describe("the safekit command", () => {
  let module: TestModule;
  let server: Server | null;
  beforeEach(() => {
    module = new TestModule();
    server = null;
  });
  afterEach(async () => {
    server?.close();
    await module.close();
  });

  /** What the agent's local API does: hands the verb on and the answer back. */
  async function serve(target: VerbTarget): Promise<string> {
    const socketPath = join(module.directory, "agent.sock");
    server = createServer((request, response) => {
      let text = "";
      request.on("data", (part) => {
        text += part;
      });
      request.on("end", () => {
        if (request.url !== verbPath("shop")) response.statusCode = 404;
        response.end(JSON.stringify(runVerb(target, VerbRequestSchema.parse(JSON.parse(text)))));
      });
    }).listen(socketPath);
    await new Promise((resolve) => server?.once("listening", resolve));
    return socketPath;
  }

  const install = (socketPath: string): void => {
    const command = fileURLToPath(new URL("safekit-command.ts", import.meta.url));
    writeCommandDirectory(module.directories.commands, process.execPath, command, socketPath);
  };

  test("lets a script log, set its resource, read a state and stop the module", async () => {
    const target = new NotingTarget();
    install(await serve(target));
    module.script(
      "start_prim",
      [
        'safekit printi "the words"',
        "safekit set -r custom.db -v down -i me",
        "safekit state > $SAFEUSERVAR/state",
        "record $?",
        "mirrorfarm stop -i start_prim",
        "record $?",
      ].join("\n"),
    );
    const call = { script: "start_prim", arguments: [], kind: "start" } as const;
    await module.scripts().run(call).done;
    expect(target.notes).toEqual(["log the words", "stop: stop called by start_prim"]);
    expect(target.resources.get("custom.db")).toBe("down");
    expect(module.read("var/state")).toBe("PRIM Transient\n");
    expect(module.recorded()).toEqual(["3", "0"]);
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
