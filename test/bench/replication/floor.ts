/**
 * The least that a write acknowledged by the other node can cost here: one trip through our FUSE
 * server (without a peer, the write to the real file included) and one round trip of TCP between
 * the two machines, of a write's size and an answer's, by plain sockets in the same kind of program.
 * Both are measured in the same rounds as all the rest.
 */
import { waitFor } from "../../lab/command.ts";
import type { VirtualMachine } from "../../lab/virtual-machine.ts";
import type { BenchLab } from "./bench-lab.ts";
import { fio } from "./fio.ts";
import { Place } from "./place.ts";
import { randomWrites } from "./random-files.ts";
import { TARGETS } from "./targets.ts";

const ROOT = `${import.meta.dirname}/../../..`;
const PROGRAM = `${import.meta.dirname}/programs/ping-program.ts`;
const PORT = 7999;
const READY_MS = 20_000;

/** Serves the floor's folder in that machine, and answers pings in the other one. */
export async function startFloor(asking: VirtualMachine, answering: VirtualMachine): Promise<void> {
  const { folder } = TARGETS.floor;
  await asking.mustExec(["mkdir", "-p", folder]);
  const options = { path: folder, role: "primary", exclusions: [] };
  const serve = `${ROOT}/test/posix/serve-process.ts`;
  asking.start("floor-fuse", [process.execPath, serve, JSON.stringify(options)]);
  answering.start("floor-ping", [process.execPath, PROGRAM, "answer", "0.0.0.0", String(PORT)]);
  await waitFor(
    `the floor's FUSE server (${asking.log("floor-fuse")})`,
    async () => ((await asking.exec(["mountpoint", "-q", folder])).code === 0 ? true : null),
    READY_MS,
  );
  await waitFor(
    `the floor's ping server (${answering.log("floor-ping")})`,
    () => (answering.log("floor-ping").includes("ready") ? true : null),
    READY_MS,
  );
}

/** Writes per second that `jobs` writers would have at the floor. */
export async function measureFloor(bench: BenchLab, jobs: number): Promise<number> {
  const place = new Place(bench.machine("node1"), TARGETS.floor.folder);
  const { iops } = await fio(place, randomWrites(jobs, bench.options.seconds));
  const fuseMicroseconds = (jobs * 1e6) / iops;
  const { microseconds = Number.NaN } = await ping(bench, jobs);
  bench.say(
    `    floor of ${jobs}: FUSE ${fuseMicroseconds.toFixed(0)} us, TCP ${microseconds.toFixed(0)} us`,
  );
  return (jobs * 1e6) / (fuseMicroseconds + microseconds);
}

/** One round trip of a 4 KiB frame and its answer, with so many on the way at a time. */
export async function ping(bench: BenchLab, outstanding: number) {
  const place = new Place(bench.machine("node1"), TARGETS.floor.folder);
  const address = bench.address("node2");
  return await place.program("ping", "ask", address, PORT, outstanding, bench.options.seconds / 2);
}
