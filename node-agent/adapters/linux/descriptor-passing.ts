/**
 * Receiving a descriptor from another process over a unix socket (unix(7), SCM_RIGHTS): how
 * fusermount3, which may mount for users that are not root, hands over what it opened.
 */
import { ERRNO } from "./errno.ts";
import { addressOf, systemCall } from "./library.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** struct cmsghdr (16 bytes) and one descriptor, padded to 8. */
const CONTROL_BYTES = 24;
const MSGHDR_BYTES = 56;

const socketpairCall = systemCall<
  [domain: number, type: number, protocol: number, ends: Uint8Array]
>("int socketpair(int, int, int, void *)");
const recvmsgCall = systemCall<[fd: number, message: Uint8Array, flags: number]>(
  "long recvmsg(int, void *, int)",
);

export type SocketPair = { readonly ends: readonly [number, number]; readonly error: number };

/** Both ends of a unix socket, close-on-exec; `packets` keeps each write apart. 0 or -errno. */
export function socketPair(o: { readonly packets: boolean } = { packets: false }): SocketPair {
  const ends = new Int32Array(2);
  const type = (o.packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC;
  const error = socketpairCall(AF_UNIX, type, 0, new Uint8Array(ends.buffer));
  return { ends: [ends[0] ?? -1, ends[1] ?? -1], error };
}

/** Waits for one message with a descriptor; the descriptor, or -errno (-EPROTO: there was none). */
export function receiveDescriptor(socket: number): number {
  const data = new Uint8Array(1);
  const vector = new Uint8Array(new BigUint64Array([addressOf(data), 1n]).buffer);
  const control = new Uint8Array(CONTROL_BYTES);
  const message = new Uint8Array(MSGHDR_BYTES);
  const longs = new BigUint64Array(message.buffer);
  longs[2] = addressOf(vector);
  longs[3] = 1n;
  longs[4] = addressOf(control);
  longs[5] = BigInt(CONTROL_BYTES);
  const received = recvmsgCall(socket, message, MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  const words = new Int32Array(control.buffer);
  const isDescriptor = words[2] === SOL_SOCKET && words[3] === SCM_RIGHTS;
  return received > 0 && isDescriptor ? (words[4] ?? -1) : -ERRNO.EPROTO;
}
