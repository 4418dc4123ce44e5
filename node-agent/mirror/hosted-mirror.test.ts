import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MirrorConfig } from "#model/module/config.ts";
import { assert } from "#model/shared/assert.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { moduleConfig } from "../modules/testing/test-config.ts";
import type { ResyncProgress } from "../replication/engine.ts";
import { incompleteMarker } from "../replication/incomplete-marker.ts";
import { HostedMirror } from "./hosted-mirror.ts";
import type { ModuleHappening } from "./mirror-module.ts";
import { QuietNode } from "./testing/quiet-node.ts";

let node: QuietNode;
let told: ModuleHappening[] = [];
let changes = 0;
const opened: HostedMirror[] = [];

beforeEach(() => {
  [told, changes] = [[], 0];
  node = new QuietNode();
});
afterEach(async () => {
  for (const mirror of opened.splice(0)) await mirror.close();
  node.remove();
});

function open(service: Partial<MirrorConfig["service"]> = {}, bootId = "boot1"): HostedMirror {
  const plain = moduleConfig({});
  const config = { ...plain, service: { ...plain.service, ...service } };
  assert(config.mode === "mirror", "the test's configuration is of a mirror");
  const folder = join(node.directory, "shop");
  node.scripts(folder, { start_prim: "exit 0", stop_prim: "exit 0" });
  const made = HostedMirror.open({
    ports: { ...node.ports, bootId },
    peering: node.quiet.peering,
    installed: { moduleId: "shop", version: 3, sha256: "", config, folder, warnings: ["beware"] },
    ...{ config, folder, nodes: ["node1", "node2"] },
    tell: (happening) => told.push(happening),
    onChanged: () => {
      changes += 1;
    },
    nowUnixMs: node.nowMs,
  });
  if (!made.ok) throw new Error(made.error);
  opened.push(made.value);
  return made.value;
}

/** As a person's word that this copy is the good one makes it. */
async function lead(mirror: HostedMirror): Promise<void> {
  mirror.module.command({ kind: "start", dataFrom: "node1" });
  await comesTo(() => mirror.module.service.state === "ALONE");
}
const comesTo = (holds: () => boolean) =>
  expect
    .poll(
      () => {
        node.tick();
        return holds();
      },
      { timeout: 15_000, interval: 5 },
    )
    .toBe(true);
const texts = (kind: string) => told.filter((one) => one.kind === kind).map(({ text }) => text);

const progress = (phase: ResyncProgress["phase"], bytesChecked: number): ResyncProgress => ({
  ...{
    phase,
    pass: 1,
    comparison: null,
    filesTotal: 10,
    filesChecked: 1,
    bytesTotal: 1000,
    bytesChecked,
  },
  ...{ bytesSent: 0, bytesPerSecond: 99.6, secondsLeft: null, waitsFor: null },
});

describe("a hosted mirror's report", () => {
  test("calls a copy half-written until a person made it the one that counts", async () => {
    const folder = join(node.directory, "shop");
    incompleteMarker(folder).set();
    // Its quorum file is lost: so this copy may lack anything.
    writeFileSync(join(folder, "quorum.json"), "{");
    const mirror = open();
    const isHalfWritten = async () => (await mirror.report()).replication?.halfWritten;
    await mirror.start();
    expect(await isHalfWritten()).toBe(true);
    mirror.module.command({ kind: "start", dataFrom: null });
    mirror.module.command({
      ...{ kind: "forcePrimary", seenEpoch: 0, historyId: "new", by: "ann" },
      ...{ reason: "the other burnt down", withoutWitness: false },
    });
    await comesTo(() => mirror.module.service.state === "ALONE");
    expect(await isHalfWritten()).toBe(false);
  });

  test("shows a resync from its first byte to its end, and nothing after it", async () => {
    const mirror = open();
    const resync = async () => (await mirror.report()).replication?.resync ?? null;
    expect(await resync()).toBeNull();
    const before = changes;
    mirror.onEngineEvent({ kind: "resyncProgress", progress: progress("counting", 0) });
    expect(await resync()).toEqual({
      ...{ kind: "full", phase: "comparing", doneBytes: 0, totalBytes: 1000, bytesPerSecond: 100 },
    });
    mirror.onEngineEvent({ kind: "resyncProgress", progress: progress("catchingUp", 600) });
    expect(await resync()).toMatchObject({ phase: "copying", doneBytes: 600 });
    // Later passes look at things a second time; nobody is shown more than there is.
    mirror.onEngineEvent({ kind: "resyncProgress", progress: progress("finalPass", 1200) });
    expect(await resync()).toMatchObject({ phase: "attaching", doneBytes: 1000 });
    expect(changes).toBe(before + 3);
    mirror.onEngineEvent({ kind: "attached", epoch: 1, attachmentId: "a" });
    expect(await resync()).toBeNull();
    expect(texts("resyncFinished")).toHaveLength(1);
  });

  test("forgets a resync that failed, and says why it did", async () => {
    const mirror = open();
    mirror.onEngineEvent({ kind: "resyncProgress", progress: progress("comparing", 600) });
    mirror.onEngineEvent({ kind: "resyncFailed", epoch: 1, reason: "the disk is full" });
    expect((await mirror.report()).replication?.resync).toBeNull();
    expect(texts("decided")).toEqual(["resync: the disk is full"]);
  });

  test("names its version, its warnings and, while it leads, the voter of its grant", async () => {
    const mirror = open();
    await mirror.start();
    expect(texts("configurationChanged")).toContain("beware");
    await lead(mirror);
    const { configurationVersion, warnings, state, quorum } = await mirror.report();
    expect({ configurationVersion, warnings, state }).toEqual({
      ...{ configurationVersion: 3, warnings: ["beware"], state: "ALONE" },
    });
    expect(quorum).toMatchObject({ epoch: 1, primary: "node1", grant: { voters: ["witness"] } });
  });
});

describe("a hosted mirror and its guard", () => {
  test("tells what to take down from when it leads until it rests", async () => {
    const mirror = open();
    await mirror.start();
    node.tick();
    expect(node.quiet.guarded.filter((what) => what !== null)).toEqual([]);
    await lead(mirror);
    expect(node.quiet.guarded.at(-1)).toMatchObject({ addresses: [], mounts: [] });
    mirror.module.command({ kind: "stop" });
    await comesTo(() => mirror.isAtRest);
    expect(node.quiet.guarded.at(-1)).toBeNull();
  });

  test("once closed, the guard hears nothing of it any more", async () => {
    const mirror = open();
    await mirror.start();
    await mirror.close();
    const heard = node.quiet.guarded.length;
    const before = changes;
    mirror.onChanged();
    expect(node.quiet.guarded).toHaveLength(heard);
    expect(changes).toBe(before);
  });

  test("an agent whose mounts were taken away ends itself; another fault is no reason", () => {
    const mirror = open();
    mirror.onEngineEvent({ kind: "localFault", errno: ERRNO.EIO, detail: "a bad block" });
    expect(node.ends).toEqual([]);
    mirror.onEngineEvent({ kind: "localFault", errno: ERRNO.ENODEV, detail: "no mount" });
    expect(node.ends).toEqual(["shop: no mount"]);
  });
});

describe("a hosted mirror begins and ends", () => {
  test.each([
    { boot: "on", ran: false, bootId: "boot2", wants: true },
    { boot: "off", ran: true, bootId: "boot2", wants: false },
    { boot: "auto", ran: true, bootId: "boot2", wants: true },
    { boot: "ignore", ran: false, bootId: "boot2", wants: false },
    // The same boot: only the agent is new, and the file has no say in that.
    { boot: "off", ran: true, bootId: "boot1", wants: true },
    { boot: "on", ran: false, bootId: "boot1", wants: false },
  ] as const)("boot=$boot, ran=$ran, $bootId: started is $wants", async (the) => {
    const first = open();
    await first.start();
    if (the.ran) first.module.command({ kind: "start", dataFrom: "node1" });
    await comesTo(() => first.module.isStartWanted === the.ran);
    await first.close();
    const second = open({ boot: the.boot }, the.bootId);
    await second.start();
    expect(second.module.isStartWanted).toBe(the.wants);
    expect(await second.started).toBe(true);
  });

  test("an agent that ends stops it and keeps the wish to run; an uninstalled one keeps nothing", async () => {
    const mirror = open();
    await mirror.start();
    await lead(mirror);
    const ending = mirror.leave("agentEnds");
    await comesTo(() => mirror.isAtRest);
    await ending;
    const again = open();
    await again.start();
    expect(again.module.isStartWanted).toBe(true);
    const leaving = again.leave("uninstalled");
    await comesTo(() => again.isAtRest);
    await leaving;
    const third = open();
    await third.start();
    expect(third.module.isStartWanted).toBe(false);
  });

  test("whoever waits for its rest is called once, and at once when it rests already", async () => {
    const mirror = open();
    await mirror.start();
    let calls = 0;
    const call = () => {
      calls += 1;
    };
    mirror.onStopped(call);
    expect(calls).toBe(1);
    await lead(mirror);
    mirror.onStopped(call);
    expect(calls).toBe(1);
    mirror.module.command({ kind: "stop" });
    await comesTo(() => mirror.isAtRest);
    mirror.onChanged();
    mirror.onChanged();
    expect(calls).toBe(2);
  });

  test("a wait that comes to nothing ends at its bound", async () => {
    const mirror = open();
    expect(await mirror.until(() => true, 60_000)).toBe(true);
    expect(await mirror.until(() => false, 20)).toBe(false);
  });

  test("a module for another number of nodes is refused with a sentence", () => {
    const plain = moduleConfig({});
    assert(plain.mode === "mirror", "the test's configuration is of a mirror");
    const folder = join(node.directory, "shop");
    const installed = { moduleId: "shop", version: 1, sha256: "", folder, warnings: [] };
    const made = HostedMirror.open({
      ...{ ports: node.ports, peering: node.quiet.peering, config: plain, folder },
      ...{ installed: { ...installed, config: plain }, nodes: ["node1", "node2", "node3"] },
      ...{ tell: () => undefined, onChanged: () => undefined, nowUnixMs: node.nowMs },
    });
    expect(made).toMatchObject({ ok: false, error: expect.stringContaining("two nodes") });
  });
});
