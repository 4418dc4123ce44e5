import { randomBytes } from "node:crypto";
import type { Network } from "../../replication/network.ts";
import { close } from "./file.ts";
import { acceptFrom, connectError, connectTo, receive, send, tuneConnection } from "./socket.ts";

/** The machine's own sockets. */
export const linuxNetwork: Network = {
  connectTo,
  connectError,
  acceptFrom,
  send,
  receive: (fd, into, length) => receive(fd, into, length, 0),
  tune: tuneConnection,
  close,
  randomBytes: (count) => randomBytes(count),
};
