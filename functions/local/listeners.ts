/**
 * The two doors of the local control plane: plain HTTP on loopback for people, HTTPS for agents.
 * Bounded on every side, because the second one is on a network.
 */
import { createServer as createHttp, type Server } from "node:http";
import { createServer as createHttps, type Server as TlsServer } from "node:https";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import type { CertificateAuthority } from "../identity/certificate-authority.ts";
import type { Logger, Timer, Timers } from "../ports.ts";

/** Limits of both servers; a slow sender is cut off, a crowd is turned away. */
const LIMITS = {
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
} as const;
const CONNECTIONS_MAX = 2_000;
/** The listener's certificate is renewed at half of its seven days. */
const RENEW_MS = 3.5 * 24 * 3_600_000;

export interface Listener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, the host an address or a name; IPv6 in brackets. */
export function parsePlace(text: string): Place {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-f:]+)\]|([^:]*)):([0-9]{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  if (host === "" || Number(port) > 65_535) throw new Error(`${text}: want HOST:PORT`);
  return { host, port: Number(port) };
}

/** As it stands in a URL. */
export const placeText = ({ host, port }: Place): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

export async function listenForPeople(app: Hono, place: Place): Promise<Listener> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer: createHttp,
    serverOptions: LIMITS,
  });
  return open(asServer(server), place);
}

/** The certificate is swapped in place while the server runs, so no agent notices. */
export async function listenForAgents(
  app: Hono,
  place: Place,
  parts: {
    readonly ca: CertificateAuthority;
    readonly names: readonly string[];
    readonly timers: Timers;
    readonly logger: Logger;
  },
): Promise<Listener> {
  const context = async () => {
    const issued = await parts.ca.issueForListener(parts.names);
    // The CA comes along, so that a node can compare it with its token at the first contact.
    return { key: issued.keyPem, cert: `${issued.certificatePem}\n${parts.ca.certificatePem}` };
  };
  const serverOptions = { ...LIMITS, ...(await context()), minVersion: "TLSv1.3" as const };
  const server = asServer(
    createAdaptorServer({ fetch: app.fetch, createServer: createHttps, serverOptions }),
  );
  let timer: Timer | null = null;
  const renewLater = () => {
    timer = parts.timers.after(RENEW_MS, () => {
      context()
        .then((fresh) => {
          if ("setSecureContext" in server) server.setSecureContext(fresh);
        })
        .catch((error) => parts.logger.log("E", `certificate of the listener: ${String(error)}`))
        .finally(renewLater);
    });
  };
  renewLater();
  const listener = await open(server, place);
  return {
    ...listener,
    close() {
      timer?.cancel();
      return listener.close();
    },
  };
}

/** The adapter's type allows HTTP/2 too; these two are what it was told to make. */
function asServer(server: ReturnType<typeof createAdaptorServer>): Server | TlsServer {
  if (!("closeAllConnections" in server)) throw new Error("not an HTTP/1.1 server");
  return server;
}

async function open(server: Server | TlsServer, place: Place): Promise<Listener> {
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(place.port, place.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : place.port;
  return {
    host: place.host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // Answers under way have a moment; whoever hangs does not hold the stop up.
        setTimeout(() => server.closeAllConnections(), 500).unref();
      }),
  };
}
