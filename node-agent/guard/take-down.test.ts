import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, read, readSync, rmdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { cString } from "../adapters/linux/library.ts";
import { MNT_DETACH, mount, umount2 } from "../adapters/linux/mount.ts";
import { readProcess } from "../modules/process-table.ts";
import { takeDown } from "./take-down.ts";

const isRoot = process.getuid?.() === 0;
const NOTHING = { addresses: [], cgroupPath: null, processMark: null, mounts: [] };
const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A FUSE file system whose server takes requests and never answers, as a hung agent does. */
function mountSilence(): { place: string; device: number } {
  const place = mkdtempSync(join(tmpdir(), "mirrorfarm-silence-"));
  cleanUps.push(() => rmdirSync(place));
  const device = openSync("/dev/fuse", "r+");
  cleanUps.push(() => closeSync(device));
  const options = `fd=${device},rootmode=40000,user_id=0,group_id=0`;
  const type = cString("fuse.silence");
  const result = mount(cString("silence"), cString(place), type, 0, cString(options));
  expect(result).toBe(0);
  cleanUps.push(() => umount2(cString(place), MNT_DETACH));
  // FUSE_INIT is the one request that is answered (linux/fuse.h: fuse_out_header, fuse_init_out).
  const request = Buffer.alloc(135_168);
  readSync(device, request);
  const answer = Buffer.alloc(16 + 64);
  answer.writeUInt32LE(answer.length, 0);
  request.copy(answer, 8, 8, 16);
  answer.writeUInt32LE(7, 16);
  answer.writeUInt32LE(31, 20);
  answer.writeUInt32LE(4_096, 16 + 20);
  writeSync(device, answer);
  return { place, device };
}

describe.runIf(isRoot)("taking down (needs root)", () => {
  test("ends a process that waits in a file operation of an agent that never answers", async () => {
    const { place, device } = mountSilence();
    const child: ChildProcess = spawn("stat", [join(place, "file")], { stdio: "ignore" });
    let hasEnded = false;
    child.once("exit", () => {
      hasEnded = true;
    });
    cleanUps.push(() => child.kill("SIGKILL"));
    // Once the server has taken the request, no signal ends the wait (fs/fuse/dev.c).
    await promisify(read)(device, Buffer.alloc(135_168), 0, 135_168, null);
    child.kill("SIGKILL");
    await until(() => readProcess(child.pid ?? 0)?.state === "D", "it is beyond signals");
    expect(hasEnded).toBe(false);
    expect(takeDown({ ...NOTHING, mounts: [place] })).toEqual([]);
    await until(() => hasEnded, "it ends");
  });

  test("finds processes by their mark where there is no cgroup", async () => {
    const mark = `MIRRORFARM_CONTAINMENT=take-down-test-${process.pid}`;
    const [name = "", value] = mark.split("=");
    const marked = spawn("sh", ["-c", "sleep 60 & wait"], { env: { [name]: value, PATH: "/bin" } });
    const other = spawn("sleep", ["60"]);
    cleanUps.push(() => other.kill("SIGKILL"));
    const ended = new Promise((resolve) => marked.once("exit", (_, signal) => resolve(signal)));
    await until(() => readProcess(marked.pid ?? 0)?.command === "sh", "it runs");
    expect(takeDown({ ...NOTHING, processMark: mark })).toEqual([]);
    expect(await ended).toBe("SIGKILL");
    expect(other.exitCode).toBeNull();
  });

  test("is content with what is gone already, and says what it cannot do", () => {
    const address = { address: "10.9.8.7", prefixLength: 32, interfaceName: "nowhere0" };
    const gone = { addresses: [address], mounts: ["/nowhere"], cgroupPath: "/sys/fs/cgroup/no" };
    expect(takeDown({ ...NOTHING, ...gone })).toEqual([]);
    expect(takeDown({ ...NOTHING, cgroupPath: "/etc/hostname" })).toHaveLength(1);
  });
});
