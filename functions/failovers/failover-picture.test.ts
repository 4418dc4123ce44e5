import { describe, expect, test } from "vitest";
import { EventRecord } from "#model/contract/events.ts";
import { FailoverPicture } from "#model/contract/failover.ts";
import { failoverPictures } from "./failover-picture.ts";

const T0 = 1_800_000_000_000;
let seq = 0;
function event(
  atMs: number,
  kind: string,
  nodeId: string | null,
  data: EventRecord["data"] = {},
): EventRecord {
  seq += 1;
  return EventRecord.parse({
    seq,
    atMs: T0 + atMs,
    offsetErrMs: 5,
    clusterId: "prod",
    ...(kind.startsWith("heartbeat") || kind.startsWith("peer") ? {} : { moduleId: "shop" }),
    ...(nodeId === null ? {} : { nodeId }),
    kind,
    severity: "I",
    text: `${kind} on ${nodeId}`,
    actor: nodeId === null ? "witness" : `node:${nodeId}`,
    data,
  });
}
const change = (atMs: number, epoch: number, from: string | null, to: string, cause = "promote") =>
  event(atMs, "epochChanged", null, {
    epochBefore: epoch - 1,
    epoch,
    fromNode: from,
    toNode: to,
    cause,
  });

/** node1 dies at 0; node2 notices at 1500, is granted epoch 2 at 1700 and serves at 2400. */
const death = (): EventRecord[] => [
  event(-60_000_000, "stateChanged", "node1", { from: "WAIT", to: "PRIM", ready: "Ready" }),
  event(-60_000_000, "stateChanged", "node2", { from: "WAIT", to: "SECOND", ready: "Ready" }),
  event(1000, "heartbeatLost", "node2", { peer: "node1", network: "lan0", lastHeardAtMs: T0 }),
  event(1500, "peerLost", "node2", { peer: "node1", lastHeardAtMs: T0 + 10 }),
  event(1510, "promotionAsked", "node2", { epoch: 2 }),
  change(1700, 2, "node1", "node2"),
  event(1750, "addressMoved", "node2", { address: "10.0.0.50", toNode: "node2", epoch: 2 }),
  event(1800, "scriptStarted", "node2", { script: "start_prim" }),
  event(1801, "stateChanged", "node2", { from: "SECOND", to: "ALONE", ready: "Transient" }),
  event(2400, "stateChanged", "node2", { from: "ALONE", to: "ALONE", ready: "Ready" }),
  event(3000, "addressConfirmed", null, { address: "10.0.0.50", toNode: "node2", epoch: 2 }),
];

describe("the picture of a failover", () => {
  test("says when it began, what it took and how long the service was away", () => {
    const [picture] = failoverPictures(death(), "shop");
    expect(picture).toMatchObject({
      id: "shop-2",
      kind: "failover",
      fromNode: "node1",
      toNode: "node2",
      epochBefore: 1,
      epochAfter: 2,
      startedAtMs: T0,
      serviceDownMs: 2400,
      writesAtRisk: 0,
      phases: [
        { kind: "detect", fromMs: T0, toMs: T0 + 1510 },
        { kind: "decide", fromMs: T0 + 1510, toMs: T0 + 1700 },
        { kind: "start", fromMs: T0 + 1700, toMs: T0 + 2400 },
      ],
      trigger: { kind: "heartbeatLost" },
    });
    expect(FailoverPicture.safeParse(picture).success).toBe(true);
  });

  test("is the same whatever order the events were stored in", () => {
    const events = death();
    const [picture] = failoverPictures(events, "shop");
    const [mixed] = failoverPictures([...events].reverse(), "shop");
    expect(mixed?.marks.map((mark) => mark.kind)).toEqual(picture?.marks.map((mark) => mark.kind));
    expect(mixed?.serviceDownMs).toBe(2400);
  });

  test("draws each node's role, the service, the address and the epoch", () => {
    const [picture] = failoverPictures(death(), "shop");
    const lane = (id: string) => picture?.lanes.find((one) => one.id === id)?.spans ?? [];
    expect(lane("node1").map((span) => span.state)).toEqual(["PRIM", "unreachable"]);
    expect(lane("node2").map((span) => span.state)).toEqual(["SECOND", "ALONE", "ALONE"]);
    expect(lane("service").map((span) => span.state)).toEqual(["down", "up"]);
    expect(lane("address").map((span) => span.state)).toEqual(["node1", "node2"]);
    expect(lane("witness").map((span) => span.state)).toEqual(["epoch 1", "epoch 2"]);
  });

  test("leaves the end open while the service has not answered", () => {
    const [picture] = failoverPictures(death().slice(0, 8), "shop");
    expect(picture?.serviceDownMs).toBeNull();
  });

  test("tells a switchover from a failover, and counts from the stop of the application", () => {
    const events = [
      event(0, "commandAsked", null, { command: "switchover" }),
      event(300, "scriptStarted", "node1", { script: "stop_prim" }),
      change(700, 3, "node1", "node2", "release"),
      event(1300, "serviceUp", "node2", { resource: "tcp.80" }),
    ];
    const [picture] = failoverPictures(events, "shop");
    expect(picture).toMatchObject({
      kind: "switchover",
      startedAtMs: T0 + 300,
      serviceDownMs: 1000,
    });
    expect(picture?.trigger.kind).toBe("commandAsked");
  });

  test("an outage that ended in the same epoch is no part of the next failover", () => {
    const restart = [
      event(-50_000, "heartbeatLost", "node2", { peer: "node1", lastHeardAtMs: T0 - 51_000 }),
      event(-40_000, "scriptStarted", "node1", { script: "start_prim" }),
      event(-39_900, "stateChanged", "node1", { from: "ALONE", to: "ALONE", ready: "Ready" }),
      event(-39_000, "stateChanged", "node1", { from: "ALONE", to: "PRIM", ready: "Ready" }),
    ];
    const [failover] = failoverPictures([...restart, ...death()], "shop");
    expect(failover).toMatchObject({ startedAtMs: T0, serviceDownMs: 2400 });
    const handover = [
      event(0, "commandAsked", null, { command: "switchover" }),
      event(300, "scriptStarted", "node1", { script: "stop_prim" }),
      change(700, 3, "node1", "node2", "release"),
      event(1300, "stateChanged", "node2", { from: "ALONE", to: "ALONE", ready: "Ready" }),
    ];
    const [switchover] = failoverPictures([...restart, ...handover], "shop");
    expect(switchover).toMatchObject({ startedAtMs: T0 + 300, serviceDownMs: 1000 });
  });

  test("a script that was started before somebody asked is no part of the switchover", () => {
    const events = [
      event(-20_000, "scriptStarted", "node2", { script: "start_second" }),
      event(0, "commandAsked", null, { command: "switchover" }),
      event(300, "scriptStarted", "node1", { script: "stop_prim" }),
      change(700, 3, "node1", "node2", "release"),
      event(1300, "stateChanged", "node2", { from: "ALONE", to: "ALONE", ready: "Ready" }),
    ];
    expect(failoverPictures(events, "shop")[0]).toMatchObject({ startedAtMs: T0 + 300 });
  });

  test("does not know what a forced start lost", () => {
    const [picture] = failoverPictures([change(0, 4, "node1", "node2", "force")], "shop");
    expect(picture).toMatchObject({ kind: "forced", writesAtRisk: null });
  });

  test("is made once per epoch, newest first, and keeps two close failovers apart", () => {
    const events = [
      ...death(),
      change(2500, 2, "node1", "node2", "adopt"),
      event(5000, "peerLost", "node1", { peer: "node2", lastHeardAtMs: T0 + 4000 }),
      change(5200, 3, "node2", "node1"),
      event(6000, "stateChanged", "node1", { from: "SECOND", to: "ALONE", ready: "Ready" }),
    ];
    const pictures = failoverPictures(events, "shop");
    expect(pictures.map((picture) => picture.id)).toEqual(["shop-3", "shop-2"]);
    expect(pictures[0]).toMatchObject({ startedAtMs: T0 + 4000, serviceDownMs: 2000 });
    expect(pictures[1]).toMatchObject({ startedAtMs: T0, serviceDownMs: 2400 });
  });

  test("of another module is not mixed in", () => {
    const events = death().map((one) => ({ ...one, moduleId: "other" }));
    expect(failoverPictures(events, "shop")).toEqual([]);
  });
});
