import { expect, test } from "vitest";
import { DEFAULT_PORTS, readSettings } from "./settings.ts";

test("without arguments an agent has the documented ports and folder", () => {
  expect(readSettings([])).toEqual({
    ok: true,
    value: {
      stateDirectory: "/var/lib/mirrorfarm",
      bindAddresses: new Map(),
      linkPort: DEFAULT_PORTS.link,
      heartbeatPort: DEFAULT_PORTS.heartbeat,
      replicationPort: DEFAULT_PORTS.replication,
      probe: { host: "0.0.0.0", port: DEFAULT_PORTS.probe },
    },
  });
});

test("addresses are given by network, and the probe can be left out", () => {
  const read = readSettings(["--bind", "a=127.0.0.2", "--bind=b=::1", "--probe", "off"]);
  const bindAddresses = new Map([
    ["a", "127.0.0.2"],
    ["b", "::1"],
  ]);
  expect(read).toMatchObject({ ok: true, value: { bindAddresses, probe: null } });
});

test.each([
  [["--link-port", "0"], "a port is"],
  [["--heartbeat-port", "65536"], "a port is"],
  [["--replication-port", "1e3"], "a port is"],
  [["--bind", "127.0.0.1"], "want NETWORK=ADDRESS"],
  [["--probe", "7400"], "want ADDRESS:PORT"],
  [["--probe", "0.0.0.0:70000"], "want ADDRESS:PORT"],
  [["--nonsense"], "--nonsense"],
])("%j is refused with the usage", (args, text) => {
  const read = readSettings(args);
  expect(read.ok ? "" : read.error).toContain(text);
  expect(read.ok ? "" : read.error).toContain("usage: agent");
});
