import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { close } from "../adapters/linux/file.ts";
import { linuxNetwork } from "../adapters/linux/network.ts";
import { PollSet } from "../adapters/linux/poll.ts";
import { listenOn, localPort, socketAddress } from "../adapters/linux/socket.ts";
import { Acceptor } from "./acceptor.ts";
import { Connector } from "./connector.ts";
import type { SessionKey } from "./engine.ts";
import type { Established, Pollable } from "./pollable.ts";
import { Sessions } from "./sessions.ts";

const session = (peerId: string, replicationKey = randomBytes(32)): SessionKey => ({
  sessionId: Buffer.alloc(16, 7),
  replicationKey,
  peerId,
});

describe.each(["127.0.0.1", "::1"])("the replication port on %s", (host) => {
  const sessions = new Sessions();
  const accepted: Established[] = [];
  const sockets: Socket[] = [];
  const poll = new PollSet(32);
  let acceptor: Acceptor;
  let port: number;
  let nowMs: number;

  beforeEach(() => {
    nowMs = 0;
    const listener = listenOn(host, 0);
    expect(listener).toBeGreaterThan(0);
    port = localPort(listener);
    acceptor = new Acceptor({
      listener,
      moduleId: "shop",
      nodeId: "node2",
      sessions,
      userTimeoutMs: 2000,
      network: linuxNetwork,
      onAccepted: (_, established) => accepted.push(established),
    });
  });
  afterEach(() => {
    acceptor.close();
    for (const one of accepted.splice(0)) close(one.fd);
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  function turn(...others: Pollable[]): void {
    const all = [...acceptor.pollables(), ...others];
    for (let slot = 0; slot < 32; slot += 1) {
      const one = all[slot];
      poll.set(slot, one?.fd ?? -1, one?.events ?? 0);
    }
    poll.wait(5);
    all.forEach((one, slot) => {
      if (poll.ready(slot) !== 0) one.onReady(poll.ready(slot));
    });
    acceptor.tick(nowMs);
  }

  function newConnector(
    key: SessionKey,
    moduleId = "shop",
  ): { connected: Established[] } & {
    connector: Connector;
  } {
    const connected: Established[] = [];
    const connector = new Connector({
      purpose: "live",
      moduleId,
      nodeId: "node1",
      userTimeoutMs: 2000,
      network: linuxNetwork,
      session: () => key,
      addresses: () => [{ host, port }],
      onConnected: (established) => connected.push(established),
    });
    return { connector, connected };
  }

  /** Turns until the attempt has ended, well or not; bounded. */
  function attempt(key: SessionKey, moduleId?: string): { connected: Established[] } {
    const { connector, connected } = newConnector(key, moduleId);
    connector.tick(nowMs);
    for (let count = 0; count < 50 && connected.length === 0; count += 1) turn(connector);
    for (let count = 0; count < 10 && accepted.length === 0; count += 1) turn();
    connector.close();
    for (const one of connected) close(one.fd);
    return { connected };
  }

  test("lets in who has the session's key, and both ends have the same keys", () => {
    const key = randomBytes(32);
    sessions.add(session("node1", key));
    const { connected } = attempt(session("node2", key));
    expect(connected).toHaveLength(1);
    expect(accepted).toHaveLength(1);
    expect(accepted[0]?.sendKey).toEqual(connected[0]?.receiveKey);
    expect(accepted[0]?.receiveKey).toEqual(connected[0]?.sendKey);
  });

  test.each([
    ["another key", session("node2"), "shop"],
    ["another module", session("node2", Buffer.alloc(32, 1)), "other"],
    ["another name", session("node3", Buffer.alloc(32, 1)), "shop"],
  ])("keeps out who has %s", (_, theirs, moduleId) => {
    sessions.add(session("node1", Buffer.alloc(32, 1)));
    attempt(theirs, moduleId);
    expect(accepted).toEqual([]);
  });

  test("silent connections are bounded in number and time, and keep nobody out", async () => {
    const key = randomBytes(32);
    sessions.add(session("node1", key));
    for (let count = 0; count < 20; count += 1) {
      const socket = connect(port, host);
      socket.on("error", () => {});
      await new Promise((resolve) => socket.on("connect", resolve));
      sockets.push(socket);
      turn();
    }
    expect([...acceptor.pollables()].length).toBeLessThanOrEqual(9);
    expect(attempt(session("node2", key)).connected).toHaveLength(1);
    expect(accepted).toHaveLength(1);
    nowMs += 10_000;
    turn();
    expect([...acceptor.pollables()]).toHaveLength(1);
  });
});

describe("a socket's address", () => {
  test.each([
    ["::1", "00000000000000000000000000000001"],
    ["fe80::1:2", "fe800000000000000000000000010002"],
    ["2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006"],
    ["::ffff:10.1.2.3", "00000000000000000000ffff0a010203"],
  ])("of %s is its sixteen bytes", (host, hex) => {
    const address = socketAddress(host, 0x1234);
    expect(Buffer.from(address ?? []).toString("hex", 8, 24)).toBe(hex);
    expect(address?.subarray(2, 4)).toEqual(Uint8Array.of(0x12, 0x34));
  });

  test("of a name, a zone or nonsense is none", () => {
    for (const host of ["localhost", "fe80::1%eth0", "1.2.3", ""]) {
      expect(socketAddress(host, 1)).toBeNull();
    }
  });
});
