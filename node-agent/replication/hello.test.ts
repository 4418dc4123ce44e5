import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  commonVersion,
  connectionKeys,
  decodeClientHello,
  decodeServerHello,
  encodeClientHello,
  encodeRefusal,
  encodeServerHello,
  type HelloContext,
} from "./hello.ts";

const context: HelloContext = {
  sessionKey: randomBytes(32),
  moduleId: "shop",
  clientId: "node1",
  serverId: "node2",
};
const client = encodeClientHello("live", randomBytes(16), randomBytes(32));
const server = encodeServerHello(2, 0, randomBytes(32));

describe("the hello", () => {
  test("says what it said", () => {
    const sessionId = randomBytes(16);
    const decoded = decodeClientHello(encodeClientHello("resync", sessionId, randomBytes(32)));
    expect(decoded).toMatchObject({ ok: true, value: { purpose: "resync", sessionId } });
    expect(decodeServerHello(server)).toMatchObject({ ok: true, value: { version: 2 } });
    expect(decodeServerHello(encodeRefusal("unknownSession"))).toMatchObject({
      ok: false,
      error: { kind: "unknownSession" },
    });
  });

  test("a version range that does not meet ours has no common version", () => {
    const decoded = decodeClientHello(client);
    if (!decoded.ok) throw new Error("a hello");
    expect(commonVersion(decoded.value)).toBe(2);
    expect(commonVersion({ ...decoded.value, versionMin: 3, versionMax: 9 })).toBeNull();
    expect(commonVersion({ ...decoded.value, versionMin: 0, versionMax: 0 })).toBeNull();
  });

  test("both ends get the same keys, and each direction its own", () => {
    const keys = connectionKeys(context, client, server);
    expect(connectionKeys(context, client, server)).toEqual(keys);
    expect(keys.toServer.equals(keys.toClient)).toBe(false);
    expect(keys.clientProof.equals(keys.toServer)).toBe(false);
  });

  test.each([
    ["another module", { ...context, moduleId: "other" }, client, server],
    [
      "sent back to its sender",
      { ...context, clientId: "node2", serverId: "node1" },
      client,
      server,
    ],
    ["another session key", { ...context, sessionKey: randomBytes(32) }, client, server],
    ["a changed client hello", context, flipped(client), server],
    ["a changed server hello", context, client, flipped(server)],
  ])("%s means other keys", (_, other, clientHello, serverHello) => {
    const keys = connectionKeys(context, client, server);
    const others = connectionKeys(other, clientHello, serverHello);
    expect(others.toServer.equals(keys.toServer)).toBe(false);
    expect(others.clientProof.equals(keys.clientProof)).toBe(false);
  });
});

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[5] = (changed[5] ?? 0) ^ 1;
  return changed;
}
