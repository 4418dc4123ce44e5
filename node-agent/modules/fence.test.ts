import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { ModuleFence, unitName } from "./fence.ts";
import { openMarkedProcesses } from "./marked-processes.ts";
import { devicesOf } from "./mount-users.ts";
import { readProcess } from "./process-table.ts";
import { scanMountUsers } from "./scan-mount-users.ts";
import { SystemctlCommand } from "./systemd-units.ts";
import { TestModule, until } from "./testing/test-module.ts";

const isRoot = process.getuid?.() === 0;
let module: TestModule | null = null;
let children: ChildProcess[] = [];
let cleanUps: (() => void)[] = [];
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const cleanUp of cleanUps.reverse()) cleanUp();
  [children, cleanUps] = [[], []];
  await module?.close();
  module = null;
});

/** A file system of its own, as a replicated directory is one. */
function mountTmpfs(): string {
  const place = mkdtempSync(join(tmpdir(), "mirrorfarm mount-"));
  cleanUps.push(() => rmSync(place, { recursive: true }));
  execFileSync("mount", ["-t", "tmpfs", "mirrorfarm-test", place]);
  cleanUps.push(() => execFileSync("umount", ["-l", place]));
  return place;
}

/** A process of somebody else, outside the module's containment. */
async function bystander(command: string, cwd = "/"): Promise<number> {
  const child = spawn("/bin/sh", ["-c", `${command}; echo ready; exec sleep 60`], {
    cwd,
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  await until(() => readProcess(child.pid ?? 0)?.command === "sleep");
  return child.pid ?? 0;
}

describe.runIf(isRoot)("processes that use a module's directories (needs root)", () => {
  test("are found by working directory, open file and mapped program; others are not", async () => {
    const place = mountTmpfs();
    writeFileSync(join(place, "file"), "text");
    const inside = await bystander("true", place);
    const holding = await bystander(`exec 5<'${place}/file'`);
    const outside = await bystander("true");
    execFileSync("cp", ["/bin/sleep", join(place, "sleep")]);
    const mapping = spawn(join(place, "sleep"), ["60"]);
    children.push(mapping);
    await until(() => readProcess(mapping.pid ?? 0)?.command === "sleep");
    const { users, isComplete } = await scanMountUsers([place], 5_000);
    expect(isComplete).toBe(true);
    const found = new Map(users.map(({ processId, how }) => [processId, how]));
    expect(found.get(inside)).toBe("working directory");
    expect(found.get(holding)).toBe("open file");
    expect(found.get(mapping.pid ?? 0)).toBe("program");
    expect(found.has(outside)).toBe(false);
  });

  test("stop with the fence, go on with the thaw, and die with the kill", async () => {
    const place = mountTmpfs();
    const inside = await bystander("true", place);
    module = new TestModule();
    const fence = new ModuleFence({
      containment: module.containment,
      mountPoints: () => [place],
      units: [],
      systemd: null,
      sparedProcessIds: () => [],
    });
    const frozen = await fence.freeze(5_000);
    expect(frozen.otherProcessIds).toEqual([inside]);
    await until(() => readProcess(inside)?.state === "T");
    await fence.thaw();
    await until(() => readProcess(inside)?.state === "S");
    expect((await fence.kill(5_000)).isComplete).toBe(true);
    await until(() => ["Z", undefined].includes(readProcess(inside)?.state));
  });

  test("a spared process is left alone", async () => {
    const place = mountTmpfs();
    const inside = await bystander("true", place);
    module = new TestModule();
    const fence = new ModuleFence({
      containment: module.containment,
      mountPoints: () => [place],
      units: [],
      systemd: null,
      sparedProcessIds: () => [inside],
    });
    expect((await fence.kill(5_000)).otherProcessIds).toEqual([]);
    expect(readProcess(inside)?.state).toBe("S");
  });
});

test("a search that takes too long is cut and said to be incomplete", async () => {
  const { isComplete } = await scanMountUsers(["/"], 0);
  expect(isComplete).toBe(false);
});

test("mount points are matched with their escapes undone", () => {
  const mountinfo =
    "52 30 0:45 / /srv/my\\040data rw - tmpfs x rw\n31 1 0:9 / /srv rw - tmpfs x rw";
  expect([...devicesOf(["/srv/my data"], mountinfo)]).toEqual(["0:45"]);
});

describe("systemd units", () => {
  /** A stand-in for systemctl: it writes its arguments down and exits as told. */
  function systemctl(exitCode: number): { program: string; calls: () => readonly string[] } {
    const directory = mkdtempSync(join(tmpdir(), "mirrorfarm-systemctl-"));
    cleanUps.push(() => rmSync(directory, { recursive: true }));
    const program = join(directory, "systemctl");
    writeFileSync(program, `#!/bin/sh\necho "$@" >> ${directory}/calls\nexit ${exitCode}\n`);
    chmodSync(program, 0o755);
    const calls = () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n");
    return { program, calls };
  }
  const fenceWith = (systemd: SystemctlCommand | null) =>
    new ModuleFence({
      containment: openMarkedProcesses("test-units", "shop", "as asked"),
      mountPoints: () => [],
      units: [unitName("app")],
      systemd,
      sparedProcessIds: () => [],
    });

  test("are killed and kept down", async () => {
    const { program, calls } = systemctl(0);
    expect((await fenceWith(new SystemctlCommand(program)).kill(1_000)).isComplete).toBe(true);
    expect(calls()).toEqual([
      "kill --signal=SIGKILL -- app.service",
      "stop --no-block -- app.service",
    ]);
  });

  test("that cannot be frozen are named", async () => {
    const { program } = systemctl(1);
    const report = await fenceWith(new SystemctlCommand(program)).freeze(1_000);
    expect(report).toMatchObject({ isComplete: false, problems: ["cannot freeze app.service"] });
  });

  test("are a warning at start where systemd does not run the machine", () => {
    expect(fenceWith(null).warnings().join()).toContain("app.service");
    expect(fenceWith(new SystemctlCommand("systemctl")).warnings().join()).not.toContain("app");
  });

  test("active, not active and no answer are told apart", async () => {
    const ask = (code: number) => new SystemctlCommand(systemctl(code).program).isActive("app");
    expect(await ask(0)).toBe(true);
    expect(await ask(3)).toBe(false);
    expect(await ask(1)).toBe(null);
    expect(await new SystemctlCommand("/nowhere/systemctl").isActive("app")).toBe(null);
  });
});
