/**
 * Run by virtual-address.test.ts inside a network namespace of its own, where it may change
 * interfaces at will: prints one JSON object of what it saw.
 */
import { execFileSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { close } from "../../adapters/linux/file.ts";
import { systemCall } from "../../adapters/linux/library.ts";
import { interfaceIndex } from "../netlink.ts";
import { VirtualAddress, type VirtualAddressPlan } from "../virtual-address.ts";

const socket = systemCall<[domain: number, type: number, protocol: number]>(
  "int socket(int, int, int)",
);
const bind = systemCall<[fd: number, address: Uint8Array, length: number]>(
  "int bind(int, const void *, uint)",
);
const receive = systemCall<[fd: number, into: Uint8Array, length: number, flags: number]>(
  "long recv(int, void *, ulong, int)",
);

const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8" });
const macOf = (name: string): string => networkInterfaces()[name]?.[0]?.mac ?? "";

/** A packet socket on the other end of the cable, for ARP alone. */
function listenForArp(name: string): number {
  const fd = socket(17, 3, 0x0608);
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, 17, true);
  view.setUint16(2, 0x0806);
  view.setInt32(4, interfaceIndex(name), true);
  bind(fd, address, address.length);
  return fd;
}

/** The ARP frames that arrive until there are `count`, or two seconds have passed. */
async function framesOn(fd: number, count: number): Promise<readonly string[]> {
  const frames: string[] = [];
  for (let waited = 0; waited < 400 && frames.length < count; waited += 1) {
    const frame = new Uint8Array(64);
    const length = receive(fd, frame, frame.length, 0x40);
    if (length >= 42) frames.push(Buffer.from(frame.subarray(0, 42)).toString("hex"));
    else await sleep(5);
  }
  return frames;
}

const plan: VirtualAddressPlan = {
  address: "10.9.0.50",
  prefixLength: 32,
  interfaceName: null,
  tcpReset: true,
  reroute: null,
};

async function run(): Promise<Record<string, unknown>> {
  ip("link", "set", "lo", "up");
  ip("link", "add", "near", "type", "veth", "peer", "name", "far");
  ip("address", "add", "10.9.0.1/24", "dev", "near");
  ip("link", "set", "near", "up");
  ip("link", "set", "far", "up");
  const vip = new VirtualAddress(plan);
  const before = vip.observe();
  const listener = listenForArp("far");
  const startedMs = performance.now();
  const held = vip.hold();
  const holdMs = performance.now() - startedMs;
  const frames = await framesOn(listener, 2);
  const again = vip.hold();
  const during = vip.observe();
  const shown = ip("-4", "-oneline", "address", "show", "dev", "near");
  const released = await vip.release();
  const after = vip.observe();
  const releasedAgain = await vip.release(true);
  const elsewhere = new VirtualAddress({ ...plan, address: "10.77.0.1" }).hold();
  const named = new VirtualAddress({ ...plan, address: "10.77.0.1", interfaceName: "near" });
  const namedHeld = named.hold();
  await named.release(true);
  const missing = new VirtualAddress({ ...plan, interfaceName: "none" }).hold();
  const version6 = new VirtualAddress({
    ...plan,
    address: "fd00::50",
    prefixLength: 128,
    interfaceName: "near",
  });
  const version6Held = version6.hold();
  const version6Seen = version6.observe();
  await version6.release(true);
  close(listener);
  const mac = macOf("near");
  const left = ip("-oneline", "address", "show", "dev", "near");
  return {
    before,
    held,
    holdMs,
    frames,
    again,
    during,
    shown,
    released,
    after,
    releasedAgain,
    elsewhere,
    namedHeld,
    missing,
    version6Held,
    version6Seen,
    left,
    mac,
  };
}

process.stdout.write(JSON.stringify(await run()));
