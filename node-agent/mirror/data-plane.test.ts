import { beforeEach, describe, expect, test } from "vitest";
import { until } from "../modules/testing/test-module.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import { DataPlane, type DataPlaneEvent } from "./data-plane.ts";
import { FakeEngine } from "./testing/fake-engine.ts";

let calls: string[];
let engines: FakeEngine[];
let events: DataPlaneEvent[];
let cell: LeaseCell;
let plane: DataPlane;
let isSynced: boolean;
beforeEach(() => {
  isSynced = true;
  [calls, engines, events, cell] = [[], [], [], new LeaseCell()];
  plane = newPlane(() => undefined);
});

function newPlane(prepare: (engine: FakeEngine, number: number) => void): DataPlane {
  return new DataPlane({
    cell,
    takeOver: async () => null,
    sync: async () => {
      calls.push("sync");
      return isSynced;
    },
    newEngine: () => {
      const engine = new FakeEngine(`e${engines.length + 1}`, calls);
      engines.push(engine);
      prepare(engine, engines.length);
      return engine;
    },
    onEvent: (event) => events.push(event),
    onEngineEvent: () => undefined,
    open: {
      ...{ moduleId: "shop", nodeId: "node1", trees: [], leaseCell: cell.buffer },
      ...{ listen: { host: "127.0.0.1", port: 0 }, stateDirectory: "/nowhere" },
    },
  });
}

const kinds = (): readonly string[] => events.map(({ kind }) => kind);
const told = (kind: DataPlaneEvent["kind"]) => until(() => kinds().includes(kind));
const engine = (number: number): FakeEngine => engines[number - 1] ?? new FakeEngine("none");

describe("in order", () => {
  test.each([true, false])(
    "once closed, it says whether the copy is on its disk (%s)",
    async (is) => {
      isSynced = is;
      plane.serve(3, "none");
      await until(() => calls.includes("e1 serve 3 none"));
      plane.close();
      await told("closed");
      expect(calls.slice(-3)).toEqual(["e1 close", "e1 is closed", "sync"]);
      expect(events.at(-1)).toEqual({ kind: "closed", isSynced: is });
      expect(plane.isClosed).toBe(true);
    },
  );

  test("a primary is opened, served, then told who must acknowledge", async () => {
    plane.serve(3, "none");
    plane.serve(3, "peer");
    await until(() => calls.includes("e1 requirePeer 3"));
    expect(calls).toEqual(["e1 open", "e1 serve 3 none", "e1 requirePeer 3"]);
    expect(kinds()).toEqual(["opened", "serving"]);
    expect(cell.servingEpoch).toBe(3);
  });

  test("a primary that follows is closed first: what it held back is never answered", async () => {
    plane.serve(3, "none");
    plane.follow(4);
    await until(() => calls.includes("e2 follow 4"));
    expect(calls.slice(2)).toEqual(["e1 close lazy", "e1 is closed", "e2 open", "e2 follow 4"]);
    expect(cell.servingEpoch).toBeNull();
  });

  test("every question is answered where nothing is open", async () => {
    plane.drain();
    plane.flush();
    plane.resyncPeer(3);
    plane.close();
    await told("closed");
    expect(kinds()).toEqual(["drained", "flushFailed", "resyncFailed", "closed"]);
    expect(plane.isClosed).toBe(true);
  });
});

describe("an abort", () => {
  test("forgets what was asked before it, and answers what waits for an answer", async () => {
    plane.serve(3, "none");
    await told("serving");
    const flushed = engine(1).hold("flush");
    plane.flush();
    plane.serve(4, "none");
    plane.drain();
    plane.resyncPeer(4);
    const aborted = plane.abort();
    flushed();
    await aborted;
    expect(calls).not.toContain("e1 serve 4 none");
    expect(calls).not.toContain("e2 serve 4 none");
    expect(kinds().filter((kind) => kind === "drained" || kind === "resyncFailed")).toHaveLength(2);
    expect(kinds()).not.toContain("faulted");
  });

  test("lets nothing be opened before the engine of before is gone", async () => {
    plane.serve(3, "none");
    await told("serving");
    const closed = engine(1).hold("close");
    const aborted = plane.abort();
    plane.serve(5, "none");
    // Turns of the loop in which a wrong order would show.
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(calls).not.toContain("e2 open");
    expect(cell.servingEpoch).toBeNull();
    closed();
    await aborted;
    await until(() => calls.includes("e2 serve 5 none"));
    expect(calls.indexOf("e1 is closed")).toBeLessThan(calls.indexOf("e2 open"));
  });

  test("in the middle of an opening is no fault of this node's disk", async () => {
    let opened = (): void => undefined;
    plane = newPlane((one, number) => {
      if (number !== 1) return;
      opened = one.hold("open");
      one.fail("open", { kind: "threadFailed", detail: "it was closed" });
    });
    plane.follow(3);
    await until(() => calls.includes("e1 open"));
    const aborted = plane.abort();
    opened();
    await aborted;
    expect(kinds()).toEqual(["opened"]);
    expect(plane.engine).toBe(engines[1]);
  });

  test("for good opens nothing again", async () => {
    plane.serve(3, "none");
    await told("serving");
    plane.follow(4);
    await plane.end();
    expect(engines).toHaveLength(1);
    expect(plane.isClosed).toBe(true);
  });
});

describe("what goes wrong", () => {
  test("a receiver that cannot be drained is taken away, so that it is drained", async () => {
    plane.follow(3);
    await told("opened");
    engine(1).fail("drain", { kind: "detached", detail: "it took too long" });
    plane.drain();
    await told("drained");
    expect(calls.slice(-2)).toEqual(["e1 close lazy", "e1 is closed"]);
  });

  test("a peer lost while it is required is a detachment, no disk fault", async () => {
    plane.serve(3, "none");
    await told("serving");
    engine(1).fail("requirePeer", { kind: "detached", detail: "no peer is attached" });
    plane.serve(3, "peer");
    await told("detached");
    expect(kinds()).not.toContain("faulted");
  });

  test("a peer that could not be required is not waited for: the last order holds", async () => {
    plane.serve(3, "none");
    await told("serving");
    engine(1).fail("requirePeer", { kind: "detached", detail: "it took too long" });
    engine(1).emit({ kind: "attached", epoch: 3, attachmentId: "a" });
    await told("detached");
    expect(calls.slice(-2)).toEqual(["e1 requirePeer 3", "e1 acknowledgeAlone 3"]);
  });

  test("nor acknowledged without, where the protocol wants it", async () => {
    plane.serve(3, "peer");
    await told("serving");
    engine(1).fail("requirePeer", { kind: "detached", detail: "it took too long" });
    engine(1).emit({ kind: "attached", epoch: 3, attachmentId: "a" });
    await told("detached");
    expect(calls.at(-1)).toBe("e1 requirePeer 3");
  });

  test("a data thread that died fences only until its engine is replaced", async () => {
    plane.follow(3);
    await told("opened");
    engine(1).emit({ kind: "threadFailed", detail: "a bug" });
    expect(cell.isFenced).toBe(true);
    plane.close();
    await told("closed");
    expect(cell.isFenced).toBe(false);
  });

  test("the protocol's own fence outlives the engine", async () => {
    plane.serve(3, "none");
    await told("serving");
    plane.fence();
    plane.close();
    await told("closed");
    expect(cell.isFenced).toBe(true);
  });

  test("a closed engine is not listened to", async () => {
    plane.serve(3, "none");
    await told("serving");
    await plane.abort();
    events.length = 0;
    engine(1).emit({ kind: "detached", epoch: 3, reason: "late" });
    expect(events).toEqual([]);
  });

  test("an attachment that ends while the peer is being required belongs to its engine", async () => {
    plane.serve(3, "none");
    await told("serving");
    const required = engine(1).hold("requirePeer");
    engine(1).fail("requirePeer", { kind: "detached", detail: "closed" });
    engine(1).emit({ kind: "attached", epoch: 3, attachmentId: "a" });
    await until(() => calls.includes("e1 requirePeer 3"));
    const aborted = plane.abort();
    required();
    await aborted;
    expect(kinds()).not.toContain("detached");
  });
});
