/**
 * Round trips over TCP as the data thread makes them: non-blocking sockets and poll(2), no event
 * loop.
 *
 *   node ping-program.ts answer HOST PORT
 *   node ping-program.ts ask HOST PORT OUTSTANDING SECONDS     {"microseconds"} a round trip takes
 *
 * A request is a 4 KiB write with its frame's head, an answer 16 bytes. OUTSTANDING requests are on
 * the way at a time, on one connection, as from so many writers.
 */
import { ERRNO } from "../../../../node-agent/adapters/linux/errno.ts";
import { close } from "../../../../node-agent/adapters/linux/file.ts";
import { POLLIN, POLLOUT, PollSet } from "../../../../node-agent/adapters/linux/poll.ts";
import {
  acceptFrom,
  connectError,
  connectTo,
  listenOn,
  receive,
  send,
  tuneConnection,
} from "../../../../node-agent/adapters/linux/socket.ts";

const REQUEST_BYTES = 4096 + 32;
const ANSWER_BYTES = 16;
const USER_TIMEOUT_MS = 5000;
const WAIT_MS = 1000;

const set = new PollSet(1);

function wait(fd: number, events: number): void {
  set.set(0, fd, events);
  set.wait(WAIT_MS);
}

/** Everything, however often the socket is full. False when the other end is gone. */
function sendAll(fd: number, data: Uint8Array): boolean {
  for (let at = 0; at < data.length; ) {
    const sent = send(fd, data.subarray(at));
    if (sent === -ERRNO.EAGAIN) wait(fd, POLLOUT);
    else if (sent < 0) return false;
    else at += sent;
  }
  return true;
}

/** Waits for some bytes; how many, 0 when the other end is gone. */
function receiveSome(fd: number, into: Uint8Array): number {
  for (;;) {
    const received = receive(fd, into, into.length, 0);
    if (received !== -ERRNO.EAGAIN) return Math.max(0, received);
    wait(fd, POLLIN);
  }
}

function answer(host: string, port: number): void {
  const listener = listenOn(host, port);
  if (listener < 0) throw new Error(`listen: ${listener}`);
  console.log("ready");
  const bytes = new Uint8Array(1024 * 1024);
  for (;;) {
    wait(listener, POLLIN);
    const fd = acceptFrom(listener);
    if (fd < 0) continue;
    tuneConnection(fd, USER_TIMEOUT_MS);
    for (let have = 0; ; ) {
      const received = receiveSome(fd, bytes);
      if (received === 0) break;
      have += received;
      const requests = Math.floor(have / REQUEST_BYTES);
      have -= requests * REQUEST_BYTES;
      if (requests > 0 && !sendAll(fd, new Uint8Array(requests * ANSWER_BYTES))) break;
    }
    close(fd);
  }
}

function ask(host: string, port: number, outstanding: number, seconds: number): void {
  const fd = connectTo(host, port);
  if (fd < 0) throw new Error(`connect: ${fd}`);
  wait(fd, POLLOUT);
  const error = connectError(fd);
  if (error < 0) throw new Error(`connect: ${error}`);
  tuneConnection(fd, USER_TIMEOUT_MS);
  const request = new Uint8Array(REQUEST_BYTES);
  const answers = new Uint8Array(outstanding * ANSWER_BYTES);
  const startMs = performance.now();
  for (let one = 0; one < outstanding; one += 1) sendAll(fd, request);
  let count = 0;
  for (let have = 0; performance.now() - startMs < seconds * 1000; ) {
    const received = receiveSome(fd, answers);
    if (received === 0) throw new Error("the other end closed");
    have += received;
    for (; have >= ANSWER_BYTES; have -= ANSWER_BYTES) {
      count += 1;
      sendAll(fd, request);
    }
  }
  const microseconds = ((performance.now() - startMs) * 1000 * outstanding) / count;
  console.log(JSON.stringify({ microseconds }));
  close(fd);
}

const [verb = "", host = "", port = "", outstanding = "1", seconds = "1"] = process.argv.slice(2);
if (verb === "answer") answer(host, Number(port));
else ask(host, Number(port), Number(outstanding), Number(seconds));
