/**
 * The wire between the two nodes of the playground, with a switch. On one machine there is no cable
 * to pull, so each node is reached by its peer through an address of its own that only forwards.
 * While cut, bytes stall: nothing is closed and nothing refused, exactly as when a network dies.
 *
 * The product does not know of it: to the agents these are the peer's addresses.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";

/** One end of the wire. */
export type RelayEnd = {
  readonly name: string;
  /** Where the node itself listens. */
  readonly address: string;
  /** Where its peer believes it to listen. */
  readonly relayAddress: string;
};

export type RelayPorts = { readonly tcp: readonly number[]; readonly udp: readonly number[] };

const CONNECTIONS_MAX = 256;

export class Relay {
  #isCut = false;
  readonly #servers: Server[] = [];
  readonly #udp: UdpSocket[] = [];
  readonly #pairs = new Set<{ near: Socket; far: Socket }>();

  static async open(ends: readonly [RelayEnd, RelayEnd], ports: RelayPorts): Promise<Relay> {
    const relay = new Relay();
    for (const end of ends) {
      for (const port of ports.tcp) await relay.#listenTcp(end, port);
    }
    for (const port of ports.udp) await relay.#listenUdp(ends, port);
    return relay;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  heal(): void {
    this.#isCut = false;
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#udp) socket.close();
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  #listenTcp(end: RelayEnd, port: number): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (near) => {
      if (this.#pairs.size >= CONNECTIONS_MAX) {
        near.destroy();
        return;
      }
      this.#join(near, connect(port, end.address));
    });
    this.#servers.push(server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(port, end.relayAddress, resolve);
    return promise;
  }

  #join(near: Socket, far: Socket): void {
    const pair = { near, far };
    this.#pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    const forward = (from: Socket, to: Socket) => {
      from.on("data", (bytes: Buffer) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on("drain", () => {
        if (!this.#isCut) from.resume();
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    };
    forward(near, far);
    forward(far, near);
    if (this.#isCut) far.pause();
    else near.resume();
  }

  /** Both ends share one rule: what arrives at one node's relay leaves from the other node's. */
  async #listenUdp(ends: readonly [RelayEnd, RelayEnd], port: number): Promise<void> {
    const sockets = ends.map(() => createSocket("udp4"));
    this.#udp.push(...sockets);
    for (const [index, socket] of sockets.entries()) {
      const end = ends[index];
      const other = sockets[1 - index];
      if (end === undefined || other === undefined) continue;
      socket.on("message", (bytes) => {
        if (!this.#isCut) other.send(bytes, port, end.address, () => undefined);
      });
      // A node that is down answers with "port unreachable": silence to its peer.
      socket.on("error", () => undefined);
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.bind(port, end.relayAddress, resolve);
      await promise;
    }
  }
}
