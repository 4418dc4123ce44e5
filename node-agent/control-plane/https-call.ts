import { lookup } from "node:dns";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { LookupFunction } from "node:net";
import { CONTROL_PLANE_DNS_NAME } from "#model/contract/enrolment.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

/** Connections kept: two long polls, a report, and votes of several modules at once. */
const SOCKETS_MAX = 8;
/** An idle connection is kept for this long; the next vote then needs no handshake. */
const KEEP_ALIVE_MS = 30_000;

/** One request; `path` with its query, exactly as on the request line. */
export type Call = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** From now to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly signal?: AbortSignal | undefined;
};

/** A whole answer, whatever its status. */
export type Answer = {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
};

/** No whole answer came. Whether the request was acted on is unknown. */
export type NoAnswer = {
  readonly kind: "unreachable" | "timeout" | "aborted" | "answerTooLong" | "brokenAnswer";
  readonly detail: string;
  /** The kept connection was closed under us: asking again at once is worth it. */
  readonly wasStaleConnection: boolean;
};

/** HTTPS to the control plane: pinned CA, pinned name, kept connections, nothing followed. */
export class HttpsCaller {
  readonly #base: URL;
  #agent: Agent;

  constructor(baseUrl: string, caPem: string) {
    this.#base = new URL(baseUrl);
    this.#agent = createAgent(caPem);
  }

  /** While the CA is being replaced both are trusted; connections that are open stay. */
  setCa(caPem: string): void {
    const old = this.#agent;
    this.#agent = createAgent(caPem);
    // Requests under way hold their sockets; idle ones are closed.
    for (const sockets of Object.values(old.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  call(call: Call): Promise<Result<Answer, NoAnswer>> {
    const { promise, resolve } = Promise.withResolvers<Result<Answer, NoAnswer>>();
    const deadline = AbortSignal.timeout(call.timeoutMs);
    const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal]);
    const outgoing = request(
      new URL(call.path, this.#base),
      { method: call.method, headers: call.headers, agent: this.#agent, signal },
      (incoming) => {
        readAnswer(incoming, call.answerBytesMax).then(
          (answer) => resolve(answer),
          (cause: unknown) => fail(cause),
        );
      },
    );
    const fail = (cause: unknown): void => {
      const detail = cause instanceof Error ? cause.message : String(cause);
      const isReset = cause instanceof Error && "code" in cause && cause.code === "ECONNRESET";
      const wasStaleConnection = isReset && outgoing.reusedSocket;
      const kind = deadline.aborted ? "timeout" : signal.aborted ? "aborted" : "unreachable";
      resolve(err({ kind, detail, wasStaleConnection }));
    };
    outgoing.on("error", fail);
    outgoing.end(call.body ?? undefined);
    return promise;
  }
}

async function readAnswer(
  incoming: IncomingMessage,
  bytesMax: number,
): Promise<Result<Answer, NoAnswer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const noAnswer = (kind: NoAnswer["kind"], detail: string): Result<never, NoAnswer> => {
    incoming.destroy();
    return err({ kind, detail, wasStaleConnection: false });
  };
  for await (const chunk of incoming) {
    if (!(chunk instanceof Buffer)) return noAnswer("brokenAnswer", "the answer is no bytes");
    bytes += chunk.length;
    if (bytes > bytesMax) return noAnswer("answerTooLong", `more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  if (!incoming.complete) return noAnswer("brokenAnswer", "the connection ended in the answer");
  const body = Buffer.concat(chunks);
  const contentType = incoming.headers["content-type"] ?? "";
  return ok({ status: incoming.statusCode ?? 0, contentType, body });
}

function createAgent(caPem: string): Agent {
  return new Agent({
    keepAlive: true,
    keepAliveMsecs: KEEP_ALIVE_MS,
    maxSockets: SOCKETS_MAX,
    ca: caPem,
    minVersion: "TLSv1.2",
    // Checked against this name wherever it is reached: an address may change, the name does not.
    servername: CONTROL_PLANE_DNS_NAME,
    lookup: createLookup(),
  });
}

/** Resolves names, and when that fails uses the last answer: an outage of DNS is not ours. */
function createLookup(): LookupFunction {
  type Answered = Parameters<Parameters<LookupFunction>[2]>;
  const lastGood = new Map<string, Answered>();
  return (hostname, options, callback) => {
    lookup(hostname, options, (cause, address, family) => {
      const key = `${hostname} ${JSON.stringify(options)}`;
      if (cause === null) lastGood.set(key, [null, address, family]);
      const answered: Answered = (cause === null ? undefined : lastGood.get(key)) ?? [
        cause,
        address,
        family,
      ];
      callback(...answered);
    });
  };
}
