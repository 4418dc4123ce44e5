/** Looks before anything starts whether every port is free, so that one sentence can say which not. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

export type WantedPort = {
  readonly kind: "tcp" | "udp";
  readonly address: string;
  /** 0: any, which is always free. */
  readonly port: number;
  /** What to do when it is taken. */
  readonly remedy: string;
};

/** One sentence for each port that cannot be opened. */
export async function takenPorts(wanted: readonly WantedPort[]): Promise<readonly string[]> {
  const taken: string[] = [];
  for (const { kind, address, port, remedy } of wanted) {
    if (port === 0) continue;
    const code = kind === "tcp" ? await tryTcp(address, port) : await tryUdp(address, port);
    if (code === null) continue;
    const why = code === "EADDRINUSE" ? "is in use" : `cannot be opened (${code})`;
    taken.push(`${kind} port ${address}:${port} ${why}: ${remedy}`);
  }
  return taken;
}

function tryTcp(address: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const server = createServer();
  server.once("error", (error) => resolve(codeOf(error)));
  server.listen(port, address, () => server.close(() => resolve(null)));
  return promise;
}

function tryUdp(address: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = createSocket("udp4");
  socket.once("error", (error) => resolve(codeOf(error)));
  socket.bind(port, address, () => socket.close(() => resolve(null)));
  return promise;
}

const codeOf = (error: object): string => String(Reflect.get(error, "code"));
