/**
 * For tests: a real control plane on loopback ports, in a folder of its own, and plain HTTP to it.
 * Nothing of it is imitated; what a test sees is what a person or an agent would get.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FirstCluster, type Served, type ServeOptions, serve } from "../local/serve.ts";

/** Loopback answers at once; a call that takes longer hangs. */
const CALL_MS_MAX = 10_000;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; null when it is none. */
  readonly json: unknown;
}
export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Of the certificate authority, for HTTPS. */
  readonly ca?: string;
}

/** One request, without any cleverness of `fetch`: Host, Origin and the rest go out as given. */
export function call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
  const { headers = {}, body, ca } = options;
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        method,
        headers: { ...headers, connection: "close" },
        timeout: CALL_MS_MAX,
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const { statusCode: status = 0, headers: answered } = response;
          resolve({ status, headers: answered, text, json: parse(text) });
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error(`${method} ${url} hung`)));
    request.on("error", reject);
    if (body === undefined) request.end();
    else request.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Two nodes on loopback addresses. */
const TWO_NODES: FirstCluster = {
  id: "prod",
  nodes: [
    { id: "node1", addresses: { default: "127.0.0.11" } },
    { id: "node2", addresses: { default: "127.0.0.12" } },
  ],
  addressDriver: "arp",
  timers: "default",
};

export class TestServer {
  readonly folder: string;
  readonly #options: ServeOptions;
  #served: Served;

  private constructor(folder: string, options: ServeOptions, served: Served) {
    this.folder = folder;
    this.#options = options;
    this.#served = served;
  }

  static async start(options: Partial<ServeOptions> = {}): Promise<TestServer> {
    const folder = mkdtempSync(join(tmpdir(), "control-plane-"));
    const full: ServeOptions = {
      stateFolder: join(folder, "state"),
      people: { host: "127.0.0.1", port: 0 },
      agents: { host: "127.0.0.1", port: 0 },
      names: [],
      consoleFolder: join(folder, "console"),
      proxy: null,
      allowLoopback: false,
      version: "0.0.0-test",
      cluster: TWO_NODES,
      ...options,
    };
    return new TestServer(folder, full, await serve(full));
  }

  get served(): Served {
    return this.#served;
  }
  get secret(): string {
    return new URL(this.#served.url).searchParams.get("secret") ?? "";
  }

  /** Stops and starts again on the same state; the people's port stays, so readers find it. */
  async restart(): Promise<void> {
    const port = Number(new URL(this.#served.apiUrl).port);
    await this.#served.close();
    this.#served = await serve({ ...this.#options, people: { host: "127.0.0.1", port } });
  }

  /** As the first admin, JSON in and out. */
  admin(method: string, path: string, body?: object): Promise<Answer> {
    return this.person(this.secret, method, path, body);
  }

  /** As whoever has this secret. */
  person(secret: string, method: string, path: string, body?: object): Promise<Answer> {
    return call(method, `${this.#served.apiUrl}${path}`, {
      headers: {
        authorization: `Bearer ${secret}`,
        "idempotency-key": "test-key",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async stop(): Promise<void> {
    await this.#served.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
