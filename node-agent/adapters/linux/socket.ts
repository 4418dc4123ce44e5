/**
 * Stream sockets by descriptor, always non-blocking and close-on-exec, for threads that wait in
 * poll(2) themselves: a round trip costs 16 us here and 30 us through libuv. Results and errors
 * as in library.ts. Addresses are numeric; names are resolved by nobody on a data path.
 */
import { isIPv4, isIPv6 } from "node:net";
import { ERRNO } from "./errno.ts";
import { close } from "./file.ts";
import { systemCall } from "./library.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_FLAGS = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_NOSIGNAL = 0x4000;
const BACKLOG = 16;

const socketCall = systemCall<[domain: number, type: number, protocol: number]>(
  "int socket(int, int, int)",
);
const bindCall = systemCall<[fd: number, address: Uint8Array, length: number]>(
  "int bind(int, const void *, uint)",
);
const listenCall = systemCall<[fd: number, backlog: number]>("int listen(int, int)");
const acceptCall = systemCall<
  [fd: number, address: Uint8Array | null, length: Uint8Array | null, flags: number]
>("int accept4(int, void *, void *, int)");
const connectCall = systemCall<[fd: number, address: Uint8Array, length: number]>(
  "int connect(int, const void *, uint)",
);
const setsockoptCall = systemCall<
  [fd: number, level: number, option: number, value: Uint8Array, length: number]
>("int setsockopt(int, int, int, const void *, uint)");
const getsockoptCall = systemCall<
  [fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array]
>("int getsockopt(int, int, int, void *, void *)");
const getsocknameCall = systemCall<[fd: number, address: Uint8Array, length: Uint8Array]>(
  "int getsockname(int, void *, void *)",
);
const sendCall = systemCall<[fd: number, data: Uint8Array, length: number, flags: number]>(
  "long send(int, const void *, ulong, int)",
);

/** recv(2): bytes received, 0 when the peer has closed, -EAGAIN when there is nothing now. */
export const receive = systemCall<[fd: number, into: Uint8Array, length: number, flags: number]>(
  "long recv(int, void *, ulong, int)",
);

/** send(2), without SIGPIPE: bytes taken (perhaps fewer than all), or -EAGAIN when there is no room. */
export const send = (fd: number, data: Uint8Array): number =>
  sendCall(fd, data, data.length, MSG_NOSIGNAL);

/** A listening socket on a numeric address; -EINVAL when `host` is not one. */
export function listenOn(host: string, port: number): number {
  const address = socketAddress(host, port);
  if (address === null) return -ERRNO.EINVAL;
  const fd = streamSocket(host);
  if (fd < 0) return fd;
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // Otherwise `::` would take the IPv4 port too, or not, as a sysctl says.
  if (isIPv6(host)) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return (
    orClose(fd, bindCall(fd, address, address.length)) || orClose(fd, listenCall(fd, BACKLOG)) || fd
  );
}

/** The port that `fd` is bound to, or -errno. */
export function localPort(fd: number): number {
  const address = new Uint8Array(28);
  const result = getsocknameCall(fd, address, lengthCell(address.length));
  return result < 0 ? result : ((address[2] ?? 0) << 8) | (address[3] ?? 0);
}

/** The next connection, or -EAGAIN. */
export const acceptFrom = (fd: number): number => acceptCall(fd, null, null, SOCK_FLAGS);

/**
 * A socket that is connecting: when poll(2) says it can be written to, `connectError` tells how it
 * went. -EINVAL when `host` is not a numeric address.
 */
export function connectTo(host: string, port: number): number {
  const address = socketAddress(host, port);
  if (address === null) return -ERRNO.EINVAL;
  const fd = streamSocket(host);
  if (fd < 0) return fd;
  const result = connectCall(fd, address, address.length);
  return result === -ERRNO.EINPROGRESS ? fd : orClose(fd, result) || fd;
}

/** 0 when the connection stands, or -errno. */
export function connectError(fd: number): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  const result = getsockoptCall(fd, SOL_SOCKET, SO_ERROR, bytes, lengthCell(4));
  return result < 0 ? result : -(value[0] ?? 0);
}

/**
 * What every replication connection has: no delay for small answers (TCP_NODELAY), an idle one is
 * probed (SO_KEEPALIVE), and one whose data goes unacknowledged for `userTimeoutMs` is given up
 * (tcp(7), RFC 5482), so that a vanished peer is not waited for a quarter of an hour.
 */
export function tuneConnection(fd: number, userTimeoutMs: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, userTimeoutMs);
}

/** struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)) of a numeric address, or null. */
export function socketAddress(host: string, port: number): Uint8Array | null {
  if (isIPv4(host)) {
    const bytes = new Uint8Array(16);
    setFamilyAndPort(bytes, AF_INET, port);
    bytes.set(host.split(".").map(Number), 4);
    return bytes;
  }
  const address = ipv6Bytes(host);
  if (address === null) return null;
  const bytes = new Uint8Array(28);
  setFamilyAndPort(bytes, AF_INET6, port);
  bytes.set(address, 8);
  return bytes;
}

function setFamilyAndPort(bytes: Uint8Array, family: number, port: number): void {
  bytes[0] = family;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
}

/** The 16 bytes of an IPv6 address; null for anything else, also for one with a zone. */
function ipv6Bytes(host: string): Uint8Array | null {
  if (!isIPv6(host) || host.includes("%")) return null;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const hex = (high: string | undefined, low: string | undefined): string =>
    (Number(high) * 256 + Number(low)).toString(16);
  const text =
    dotted === null
      ? host
      : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [before = "", after = ""] = text.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [left, right] = [groups(before), groups(after)];
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  const bytes = new Uint8Array(16);
  all.forEach((group, index) => {
    const value = Number.parseInt(group, 16);
    bytes[index * 2] = value >> 8;
    bytes[index * 2 + 1] = value & 0xff;
  });
  return bytes;
}

function streamSocket(host: string): number {
  return socketCall(isIPv4(host) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_FLAGS, 0);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  // Best effort: an option that this kernel lacks costs time after a failure, never correctness.
  setsockoptCall(fd, level, option, bytes, 4);
}

function lengthCell(length: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(length).buffer);
}

/** 0 when `result` is no error; otherwise `fd` is closed and the error passed on. */
function orClose(fd: number, result: number): number {
  if (result >= 0) return 0;
  close(fd);
  return result;
}
