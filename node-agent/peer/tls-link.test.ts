import { connect as connectPlain, createServer, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { TestAuthority } from "../identity/testing/test-authority.ts";
import type { LinkIdentity, PeerHello, PeerLink } from "./link.ts";
import type { SessionKeys } from "./session-keys.ts";
import { type LinkAddress, startLink } from "./tls-link.ts";

let authority: TestAuthority;
let stranger: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.create();
  stranger = await TestAuthority.create("CN=another cluster");
});

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Waits for a state, within a bound. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

type End = {
  readonly link: PeerLink;
  readonly sessions: { keys: SessionKeys; peer: PeerHello }[];
  readonly messages: unknown[];
  readonly downs: string[];
  readonly log: string[];
};

async function start(
  nodeId: string,
  identity: LinkIdentity,
  address: LinkAddress,
  instanceId = `${nodeId}-1`,
): Promise<End> {
  const log: string[] = [];
  const link = await startLink({
    clusterId: "lab",
    peerId: nodeId === "node1" ? "node2" : "node1",
    self: { nodeId, instanceId, bootId: "boot", agentVersion: "0.1.0" },
    identity,
    listen: [address],
    peerAddresses: [address],
    log: (line) => log.push(line),
  });
  cleanUps.push(() => link.close());
  const end: End = { link, sessions: [], messages: [], downs: [], log };
  link.onSessionUp((keys, peer) => end.sessions.push({ keys, peer }));
  link.onSessionDown((reason) => end.downs.push(reason));
  link.onMessage((message) => end.messages.push(message));
  return end;
}

async function pair(address: LinkAddress): Promise<{ one: End; two: End }> {
  const two = await start("node2", await authority.issueNode("lab", "node2"), address);
  const one = await start("node1", await authority.issueNode("lab", "node1"), address);
  await until(() => one.link.isUp && two.link.isUp, "both ends up");
  return { one, two };
}

const here = async (): Promise<LinkAddress> => ({ host: "127.0.0.1", port: await freePort() });

describe("the link", () => {
  test("gives both ends the same keys, and other ones after it was lost", async () => {
    const { one, two } = await pair(await here());
    const [first] = one.sessions;
    expect(first?.keys.sessionId).toHaveLength(16);
    expect(first?.keys.sessionId).toEqual(two.sessions[0]?.keys.sessionId);
    expect(first?.keys.heartbeatKey).toEqual(two.sessions[0]?.keys.heartbeatKey);
    expect(first?.keys.replicationKey).toEqual(two.sessions[0]?.keys.replicationKey);
    expect(first?.keys.heartbeatKey).not.toEqual(first?.keys.replicationKey);
    expect(first?.peer).toMatchObject({ nodeId: "node2", instanceId: "node2-1" });
  });

  test("carries messages both ways, in order, and refuses what is too long", async () => {
    const { one, two } = await pair(await here());
    for (let n = 0; n < 50; n += 1) expect(one.link.send("count", { n })).toBe(true);
    expect(two.link.send("replication", { port: 4242 })).toBe(true);
    expect(one.link.send("long", "x".repeat(70_000))).toBe(false);
    await until(() => two.messages.length === 50 && one.messages.length === 1, "all arrived");
    expect(two.messages[49]).toEqual({ topic: "count", body: { n: 49 } });
    expect(one.messages).toEqual([{ topic: "replication", body: { port: 4242 } }]);
  });

  test("comes back by itself, with fresh keys, when the peer's agent was restarted", async () => {
    const address = await here();
    const { one, two } = await pair(address);
    await two.link.close();
    await until(() => !one.link.isUp, "the loss is noticed");
    expect(one.link.send("lost", {})).toBe(false);
    const identity = await authority.issueNode("lab", "node2");
    const again = await start("node2", identity, address, "node2-2");
    await until(() => one.link.isUp && again.link.isUp, "up again");
    expect(one.sessions[1]?.peer.instanceId).toBe("node2-2");
    expect(one.sessions[1]?.keys.heartbeatKey).not.toEqual(one.sessions[0]?.keys.heartbeatKey);
  });

  test("notices a connection that stalls without closing, and connects anew", async () => {
    const address = await here();
    const relay = await startRelay(address);
    const two = await start("node2", await authority.issueNode("lab", "node2"), address);
    const one = await start("node1", await authority.issueNode("lab", "node1"), relay.address);
    await until(() => one.link.isUp && two.link.isUp, "up through the relay");
    relay.stall();
    await until(() => !one.link.isUp && !two.link.isUp, "both notice the silence");
    expect(one.downs).toEqual(["the connection stalls"]);
    relay.resume();
    await until(() => one.link.isUp && two.link.isUp, "up again");
  });

  test("uses a renewed certificate from the next connection on, and keeps the present one", async () => {
    const { one, two } = await pair(await here());
    two.link.replaceIdentity(await authority.issueNode("lab", "node2"));
    one.link.replaceIdentity(await authority.issueNode("lab", "node1"));
    expect(one.link.isUp && two.link.isUp).toBe(true);
    expect(one.downs).toEqual([]);
  });

  test("refuses a second agent with the peer's identity while the first one lives", async () => {
    const address = await here();
    const { one, two } = await pair(address);
    const refused: string[] = [];
    two.link.onDuplicatePeer((instance, live) => refused.push(`${instance} beside ${live}`));
    const identity = await authority.issueNode("lab", "node1");
    const clone = await start("node1", identity, address, "node1-clone");
    await until(() => refused.length > 0, "the clone is noticed");
    expect(refused[0]).toBe("node1-clone beside node1-1");
    await until(() => clone.log.length > 0, "the clone says why");
    expect(clone.log[0]).toContain("node1 already runs from instance node1-1");
    expect(one.link.isUp && two.link.isUp && one.downs.length === 0).toBe(true);
  });
});

describe("a stranger is refused:", () => {
  const strangers: [string, () => Promise<LinkIdentity>][] = [
    ["another CA", () => stranger.issueNode("lab", "node1")],
    ["another node of the cluster", () => authority.issueNode("lab", "node3")],
    ["the same name in another cluster", () => authority.issueNode("prod", "node1")],
    [
      "an expired certificate",
      () =>
        authority.issue({
          names: [{ type: "dns", value: "node1" }],
          notAfter: new Date(Date.now() - 60_000),
        }),
    ],
    [
      "a name in the wrong kind of field",
      () =>
        authority.issue({ names: [{ type: "dns", value: "node1, URI:spiffe://mirrorfarm/x" }] }),
    ],
  ];

  test.each(strangers)("%s", async (_, issue) => {
    const address = await here();
    const two = await start("node2", await authority.issueNode("lab", "node2"), address);
    const identity = { ...(await issue()), caPem: authority.caPem };
    const one = await start("node1", identity, address);
    await until(() => two.log.length > 0, "the refusal is logged");
    expect(two.sessions).toEqual([]);
    expect(one.sessions).toEqual([]);
  });

  test("a server that is not the peer", async () => {
    const address = await here();
    const two = await start("node2", await authority.issueNode("lab", "node3"), address);
    const one = await start("node1", await authority.issueNode("lab", "node1"), address);
    await until(() => one.log.length > 0, "the refusal is logged");
    expect(one.log[0]).toContain("its certificate is not node2's");
    expect([...one.sessions, ...two.sessions]).toEqual([]);
  });
});

/** A TCP relay that can fall silent without closing, as a cut cable does. */
async function startRelay(target: LinkAddress) {
  const sockets = new Set<Socket>();
  let isStalled = false;
  const server = createServer((near) => {
    const far = connectPlain(target.port, target.host);
    const join = (from: Socket, to: Socket): void => {
      sockets.add(from);
      from.on("data", (chunk) => {
        if (!isStalled) to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        if (!isStalled) to.destroy();
      });
    };
    join(near, far);
    join(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: { host: "127.0.0.1", port: bound.port },
    stall: () => {
      isStalled = true;
    },
    resume: () => {
      isStalled = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}
