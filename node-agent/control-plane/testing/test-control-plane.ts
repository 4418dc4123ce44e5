import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { CONTROL_PLANE_DNS_NAME } from "#model/contract/enrolment.ts";
import type { TestAuthority } from "../../identity/testing/test-authority.ts";

/** A request as the test's server got it. */
export type Received = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
};

/** Answers a request; a test swaps it. */
export type Handler = (received: Received, response: ServerResponse) => void;

/** A real HTTPS server with a certificate of the test's CA, which does what a test tells it to. */
export async function startTestControlPlane(
  authority: TestAuthority,
  handler: Handler,
  options: { readonly name?: string; readonly showsCa?: boolean } = {},
) {
  const { name = CONTROL_PLANE_DNS_NAME, showsCa = true } = options;
  const { keyPem, certificatePem, caPem } = await authority.issue({
    names: [{ type: "dns", value: name }],
  });
  const cert = showsCa ? `${certificatePem}\n${caPem}` : certificatePem;
  const received: Received[] = [];
  const control = { handler, received, connections: 0 };
  const server = createServer({ key: keyPem, cert }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      const request = { method, path, headers, body: Buffer.concat(chunks).toString("utf8") };
      control.received.push(request);
      control.handler(request, response);
    });
  });
  server.on("secureConnection", () => {
    control.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(control, {
    url: `https://127.0.0.1:${address.port}`,
    close: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Answers with JSON. */
export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
