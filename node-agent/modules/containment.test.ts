import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { ownCgroupDirectory, readCgroupFiles } from "./cgroup.ts";
import type { Containment } from "./containment.ts";
import { openMarkedProcesses } from "./marked-processes.ts";
import { openContainment } from "./open-containment.ts";
import { commandLineOf, readProcess } from "./process-table.ts";
import { until } from "./testing/test-module.ts";

let opened: Containment[] = [];
afterEach(async () => {
  for (const containment of opened) {
    await containment.kill(5_000);
    containment.remove();
  }
  opened = [];
});

let count = 0;
const instance = (): string => `test-${process.pid}-${count}`;
const kinds = {
  cgroup: () => openContainment(readCgroupFiles(), instance(), "shop"),
  marked: () => openMarkedProcesses(instance(), "shop", "as asked"),
};
const hasCgroup = () => {
  const containment = keep(kinds.cgroup());
  return containment.kind === "cgroup";
};
function keep(containment: Containment): Containment {
  count += 1;
  opened.push(containment);
  return containment;
}

/** Runs a shell command inside, detached as the agent does it, and waits for the shell to end. */
async function run(containment: Containment, command: string): Promise<void> {
  const [program = "", ...args] = containment.wrap(["/bin/sh", "-c", command]);
  const env = { PATH: "/usr/bin:/bin", ...containment.environment };
  const child = spawn(program, args, { detached: true, stdio: "ignore", env });
  await new Promise((resolve) => child.once("exit", resolve));
}

const DAEMON = "setsid sh -c 'setsid sleep 71 & setsid sleep 72 & exit 0' & exit 0";

describe.each(["cgroup", "marked"] as const)("a containment of kind %s", (kind) => {
  const open = (): Containment => keep(kinds[kind]());

  test("holds what forked twice and left its session, and kills all of it", async () => {
    if (kind === "cgroup" && !hasCgroup()) return;
    const containment = open();
    await run(containment, DAEMON);
    await until(() => containment.processIds().length === 2);
    const ids = containment.processIds();
    expect(await containment.kill(5_000)).toEqual({ isComplete: true, stuckProcessIds: [] });
    expect(containment.isEmpty()).toBe(true);
    await until(() => ids.every((id) => ["Z", undefined].includes(readProcess(id)?.state)));
  });

  test("freezes and thaws every process", async () => {
    if (kind === "cgroup" && !hasCgroup()) return;
    const containment = open();
    await run(containment, "timeout 30 setsid sh -c 'while :; do :; done' & exit 0");
    const spinning = () =>
      containment.processIds().filter((id) => commandLineOf(id).startsWith("sh -c while"));
    await until(() => spinning().length === 1);
    const [id = 0] = spinning();
    expect((await containment.freeze(5_000)).isComplete).toBe(true);
    expect(readProcess(id)?.state).not.toBe("R");
    containment.thaw();
    await until(() => readProcess(id)?.state === "R");
  });

  test("kills what is frozen, and can be used again afterwards", async () => {
    if (kind === "cgroup" && !hasCgroup()) return;
    const containment = open();
    await run(containment, DAEMON);
    await until(() => containment.processIds().length === 2);
    await containment.freeze(5_000);
    expect((await containment.kill(5_000)).isComplete).toBe(true);
    await run(containment, DAEMON);
    await until(() => containment.processIds().length === 2);
    const [id = 0] = containment.processIds();
    expect(readProcess(id)?.state).not.toBe("T");
  });

  test("is adopted with its processes when opened again under the same name", async () => {
    if (kind === "cgroup" && !hasCgroup()) return;
    const containment = open();
    await run(containment, DAEMON);
    await until(() => containment.processIds().length === 2);
    count -= 1;
    expect(open().processIds()).toEqual(containment.processIds());
  });

  test("killing an empty one is done at once", async () => {
    expect((await open().kill(0)).isComplete).toBe(true);
  });
});

describe("where the cgroup is", () => {
  const unified = "31 23 0:28 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
  const mixed =
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

  test("is found below our own in a pure layout", () => {
    const files = { mountinfo: unified, cgroup: "0::/system.slice/mirrorfarm.service\n" };
    expect(ownCgroupDirectory(files)).toBe("/sys/fs/cgroup/system.slice/mirrorfarm.service");
  });

  test("is found in a mixed layout, and at the root", () => {
    const files = { mountinfo: mixed, cgroup: "9:name=systemd:/\n4:memory:/x\n0::/\n" };
    expect(ownCgroupDirectory(files)).toBe("/sys/fs/cgroup/unified");
  });

  test("counts from the part of the hierarchy that a container sees", () => {
    const mountinfo = "31 23 0:28 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    const files = { mountinfo, cgroup: "0::/docker/ab/inner\n" };
    expect(ownCgroupDirectory(files)).toBe("/sys/fs/cgroup/inner");
  });

  test("is nowhere on a machine with version 1 alone, which is a warning", () => {
    const files = {
      mountinfo: "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n",
      cgroup: "4:cpu:/\n",
    };
    expect(ownCgroupDirectory(files)).toBe(null);
    const containment = openContainment(files, "test", "shop");
    expect(containment.kind).toBe("marked");
    expect(containment.warnings[0]).toContain("no cgroup v2");
  });

  test("that may not be written is a warning that names it", () => {
    const mountinfo = "31 23 0:28 / /proc/nowhere rw - cgroup2 cgroup2 rw\n";
    const containment = openContainment({ mountinfo, cgroup: "0::/\n" }, "test", "shop");
    expect(containment.warnings[0]).toContain("/proc/nowhere/mirrorfarm/test/shop");
  });

  test("leaves no directory behind", async () => {
    const containment = kinds.cgroup();
    containment.remove();
    expect(containment.cgroupPath === null || !existsSync(containment.cgroupPath)).toBe(true);
  });
});
