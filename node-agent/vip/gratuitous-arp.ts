/**
 * Telling the neighbours where an address is now. Without it they keep sending to the old node's
 * hardware address until their cache entry ages, which takes a minute or more (arp(7)).
 */
import { close } from "../adapters/linux/file.ts";
import { systemCall } from "../adapters/linux/library.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ARP = 0x0806;
const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;
const LINK_ADDRESS_BYTES = 20;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

const socket = systemCall<[domain: number, type: number, protocol: number]>(
  "int socket(int, int, int)",
);
const sendTo = systemCall<
  [fd: number, data: Uint8Array, size: number, flags: number, to: Uint8Array, toSize: number]
>("long sendto(int, const void *, ulong, int, const void *, uint)");

/**
 * Sends one announcement as a request and one as a reply: RFC 5227 section 3 asks for the request,
 * and some devices heed only the reply. Returns 0 or -errno.
 */
export function announce(index: number, mac: Uint8Array, address: Uint8Array): number {
  // Protocol 0: this socket receives nothing (packet(7)).
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  try {
    const to = linkAddress(index);
    for (const operation of [ARP_REQUEST, ARP_REPLY]) {
      const frame = arpFrame(operation, mac, address);
      const sent = sendTo(fd, frame, frame.length, 0, to, to.length);
      if (sent < 0) return sent;
    }
    return 0;
  } finally {
    close(fd);
  }
}

/** An Ethernet frame to everybody: sender and target are both the announced address (RFC 826). */
function arpFrame(operation: number, mac: Uint8Array, address: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + ARP_BYTES);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  view.setUint16(12, ETH_P_ARP);
  view.setUint16(14, 1);
  view.setUint16(16, 0x0800);
  view.setUint8(18, mac.length);
  view.setUint8(19, address.length);
  view.setUint16(20, operation);
  frame.set(mac, 22);
  frame.set(address, 28);
  if (operation === ARP_REPLY) frame.fill(0xff, 32, 38);
  frame.set(address, 38);
  return frame;
}

/** struct sockaddr_ll: only family, protocol and interface count for sending. */
function linkAddress(index: number): Uint8Array {
  const bytes = new Uint8Array(LINK_ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ARP);
  view.setInt32(4, index, true);
  view.setUint8(11, 6);
  bytes.fill(0xff, 12, 18);
  return bytes;
}
