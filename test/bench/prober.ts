/**
 * A client that never stops asking: one HTTP request after another through the service's address,
 * each on a connection of its own. Writes the wall clock of every answer after a silence.
 *
 *   node test/bench/prober.ts HOST PORT      one JSON line {"silentMs", "atMs"} per silence
 */
import { connect } from "node:net";

const [host = "127.0.0.1", port = "80"] = process.argv.slice(2);
const ANSWER_MS_MAX = 100;
const SILENCE_MS = 150;
const PAUSE_MS = 5;

let lastMs = Date.now();

function ask(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port: Number(port) });
  const timer = setTimeout(() => end(false), ANSWER_MS_MAX);
  const end = (isAnswered: boolean) => {
    clearTimeout(timer);
    socket.destroy();
    resolve(isAnswered);
  };
  socket.on("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.on("data", (bytes) => end(bytes.toString("latin1").startsWith("HTTP/1.1 200")));
  socket.on("error", () => end(false));
  socket.on("close", () => end(false));
  return promise;
}

for (;;) {
  if (await ask()) {
    const atMs = Date.now();
    const silentMs = atMs - lastMs;
    if (silentMs > SILENCE_MS) console.log(JSON.stringify({ silentMs, atMs }));
    lastMs = atMs;
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
