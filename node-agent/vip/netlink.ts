/**
 * Addresses on interfaces, by rtnetlink(7) and not by running `ip`: a takeover waits for this, and a
 * new process costs tens of milliseconds on a busy machine where one message costs microseconds.
 */
import { ERRNO } from "../adapters/linux/errno.ts";
import { close } from "../adapters/linux/file.ts";
import { cString, systemCall } from "../adapters/linux/library.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_REPLACE = 0x100;
const NLM_F_CREATE = 0x400;
const NLMSG_ERROR = 2;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** No duplicate address detection: an IPv6 address would stay unusable for a second or more. */
const IFA_F_NODAD = 2;
const HEADER_BYTES = 16;
const MESSAGE_BYTES = 8;
const MSG_DONTWAIT = 0x40;

const socket = systemCall<[domain: number, type: number, protocol: number]>(
  "int socket(int, int, int)",
);
const send = systemCall<[fd: number, data: Uint8Array, length: number, flags: number]>(
  "long send(int, const void *, ulong, int)",
);
const receive = systemCall<[fd: number, into: Uint8Array, length: number, flags: number]>(
  "long recv(int, void *, ulong, int)",
);
const nameToIndex = systemCall<[name: Uint8Array]>("uint if_nametoindex(const void *)");

/** if_nametoindex(3): 0 when there is no such interface in this network namespace. */
export const interfaceIndex = (name: string): number => nameToIndex(cString(name));

/** Puts an address on an interface; 0 also when it is there already, else -errno. */
export function addAddress(index: number, address: Uint8Array, prefixLength: number): number {
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return request(RTM_NEWADDR, flags, index, address, prefixLength);
}

/** Takes it off; 0 also when it is not there, else -errno. */
export function removeAddress(index: number, address: Uint8Array, prefixLength: number): number {
  const result = request(RTM_DELADDR, 0, index, address, prefixLength);
  const isGone = result === -ERRNO.EADDRNOTAVAIL || result === -ERRNO.ENODEV;
  return isGone ? 0 : result;
}

function request(
  type: number,
  flags: number,
  index: number,
  address: Uint8Array,
  prefixLength: number,
): number {
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fd;
  try {
    const message = addressMessage(type, flags, index, address, prefixLength);
    const sent = send(fd, message, message.length, 0);
    if (sent < 0) return sent;
    // The kernel has queued its answer when send(2) returns, so there is nothing to wait for.
    const answer = new Uint8Array(512);
    const length = receive(fd, answer, answer.length, MSG_DONTWAIT);
    return length < 0 ? length : errorIn(answer);
  } finally {
    close(fd);
  }
}

/** struct nlmsghdr, struct ifaddrmsg and the two attributes that `ip address` sends too. */
function addressMessage(
  type: number,
  flags: number,
  index: number,
  address: Uint8Array,
  prefixLength: number,
): Uint8Array {
  const attributeBytes = 4 + address.length;
  const message = new Uint8Array(HEADER_BYTES + MESSAGE_BYTES + 2 * attributeBytes);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true);
  view.setUint32(8, 1, true);
  view.setUint8(16, address.length === 4 ? AF_INET : AF_INET6);
  view.setUint8(17, prefixLength);
  view.setUint8(18, address.length === 4 ? 0 : IFA_F_NODAD);
  view.setUint32(20, index, true);
  [IFA_LOCAL, IFA_ADDRESS].forEach((attribute, position) => {
    const at = HEADER_BYTES + MESSAGE_BYTES + position * attributeBytes;
    view.setUint16(at, attributeBytes, true);
    view.setUint16(at + 2, attribute, true);
    message.set(address, at + 4);
  });
  return message;
}

/** NLMSG_ERROR carries -errno, and 0 as the acknowledgement (netlink(7)). */
function errorIn(answer: Uint8Array): number {
  const view = new DataView(answer.buffer);
  return view.getUint16(4, true) === NLMSG_ERROR
    ? view.getInt32(HEADER_BYTES, true)
    : -ERRNO.EPROTO;
}
