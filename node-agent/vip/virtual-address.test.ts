import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { addressBytes, hardwareAddress, interfaceOfSubnet, prefixLength } from "./interfaces.ts";

const isRoot = process.getuid?.() === 0;
const held = { address: "10.9.0.50", prefixLength: 32, interfaceName: "near" };

describe.runIf(isRoot)("a virtual address in a network namespace (needs root)", () => {
  let seen: Record<string, unknown>;
  beforeAll(() => {
    const scenario = fileURLToPath(new URL("testing/namespace-scenario.ts", import.meta.url));
    const args = ["--net", process.execPath, scenario];
    seen = JSON.parse(execFileSync("unshare", args, { encoding: "utf8", timeout: 15_000 }));
  });

  test("goes on the interface of its subnet within milliseconds, also twice", () => {
    expect(seen["before"]).toEqual([]);
    expect(seen["held"]).toEqual({ ok: true, value: held });
    expect(seen["again"]).toEqual({ ok: true, value: held });
    expect(seen["during"]).toEqual([held]);
    expect(seen["shown"]).toContain("inet 10.9.0.50/32");
    expect(seen["holdMs"]).toBeLessThan(100);
  });

  test("is announced to the neighbours as a request and as a reply", () => {
    const mac = String(seen["mac"]).replaceAll(":", "");
    const [vip, everybody] = ["0a090032", "ffffffffffff"];
    // Ethernet header, then ARP for IPv4 over Ethernet: operation, sender, target (RFC 826).
    const start = `${everybody}${mac}0806${"0001"}${"0800"}0604`;
    const expected = [
      `${start}0001${mac}${vip}000000000000${vip}`,
      `${start}0002${mac}${vip}${everybody}${vip}`,
    ];
    expect(seen["frames"]).toEqual(expected);
  });

  test("leaves the interface, and leaving twice is no error", () => {
    expect(seen["released"]).toEqual({ ok: true });
    expect(seen["releasedAgain"]).toEqual({ ok: true });
    expect(seen["after"]).toEqual([]);
    expect(seen["left"]).toContain("10.9.0.1/24");
    expect(seen["left"]).not.toContain("10.9.0.50");
    expect(seen["left"]).not.toContain("fd00::50");
  });

  test("outside every subnet needs an interface's name, and says so", () => {
    expect(seen["elsewhere"]).toMatchObject({ ok: false });
    expect(JSON.stringify(seen["elsewhere"])).toContain("no interface is in the subnet");
    expect(seen["namedHeld"]).toMatchObject({ ok: true });
    expect(JSON.stringify(seen["missing"])).toContain("there is no interface none");
  });

  test("may be of version 6", () => {
    expect(seen["version6Held"]).toMatchObject({ ok: true });
    expect(seen["version6Seen"]).toMatchObject([{ address: "fd00::50", interfaceName: "near" }]);
  });
});

describe("finding the interface", () => {
  const entry = (address: string, netmask: string) => ({
    address,
    netmask,
    mac: "02:00:00:00:00:0a",
  });
  const view = {
    lo: [{ ...entry("127.0.0.1", "255.0.0.0"), mac: "00:00:00:00:00:00" }],
    wide: [entry("10.0.0.3", "255.0.0.0")],
    near: [entry("10.1.2.3", "255.255.255.0"), entry("10.1.2.50", "255.255.255.255")],
    six: [entry("fd00:1::3", "ffff:ffff:ffff:ffff::")],
  };

  test("the narrowest subnet wins, and the address itself does not count", () => {
    expect(interfaceOfSubnet("10.1.2.50", view)).toBe("near");
    expect(interfaceOfSubnet("10.1.3.50", view)).toBe("wide");
    expect(interfaceOfSubnet("fd00:1::50", view)).toBe("six");
    expect(interfaceOfSubnet("192.0.2.1", view)).toBe(null);
    expect(interfaceOfSubnet("db.example", view)).toBe(null);
  });

  test("loopback has no hardware address", () => {
    expect(hardwareAddress("lo", view)).toBe(null);
    expect(hardwareAddress("near", view)).toEqual(Uint8Array.of(2, 0, 0, 0, 0, 10));
  });

  test.each([
    ["255.255.255.0", 24],
    ["255.255.255.255", 32],
    ["0.0.0.0", 0],
    ["255.0.255.0", null],
    ["ffff:ffff::", 32],
    ["words", null],
  ])("netmask %s is /%s", (netmask, length) => expect(prefixLength(netmask)).toBe(length));

  test.each([
    ["::1", "00000000000000000000000000000001"],
    ["fd00:1::50", "fd000001000000000000000000000050"],
    ["10.0.0.255", "0a0000ff"],
  ])("%s as bytes", (address, hex) => {
    expect(Buffer.from(addressBytes(address) ?? []).toString("hex")).toBe(hex);
  });
});
