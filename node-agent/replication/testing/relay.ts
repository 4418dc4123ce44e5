/** A TCP relay between two engines that a test can cut, or let fall silent in one direction. */

import { createServer, connect as netConnect, type Server, type Socket } from "node:net";

type Leg = { readonly client: Socket; readonly server: Socket };

export class Relay {
  readonly #target: () => number;
  readonly #server: Server;
  readonly #legs = new Set<Leg>();
  #isSilentBack = false;
  #isRefusing = false;
  /** May change what the client sends; for tampering. */
  onForward: (bytes: Buffer) => Buffer = (bytes) => bytes;
  port = 0;

  constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address !== null && typeof address === "object") this.port = address.port;
  }

  /** Every connection breaks now; `refuse` keeps new ones out too. */
  cut(o: { readonly refuse: boolean }): void {
    this.#isRefusing = o.refuse;
    for (const { client, server } of this.#legs) {
      client.destroy();
      server.destroy();
    }
    this.#legs.clear();
  }

  heal(): void {
    this.#isRefusing = false;
    this.#isSilentBack = false;
    for (const { server } of this.#legs) server.resume();
  }

  /** What the secondary says no longer arrives; nothing is closed. */
  silenceBack(): void {
    this.#isSilentBack = true;
    for (const { server } of this.#legs) server.pause();
  }

  async close(): Promise<void> {
    this.cut({ refuse: true });
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const server = netConnect(this.#target(), "127.0.0.1");
    const leg = { client, server };
    this.#legs.add(leg);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#legs.delete(leg);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (bytes: Buffer) => server.write(this.onForward(bytes)));
    server.on("data", (bytes: Buffer) => client.write(bytes));
    if (this.#isSilentBack) server.pause();
  }
}
