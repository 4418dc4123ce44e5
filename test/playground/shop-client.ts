/** The demo shop as its customers see it: plain HTTP. */
import { Agent, request } from "node:http";
import type { Application } from "./load-generator.ts";

const ANSWER_MS_MAX = 2_000;
const LIST_MS_MAX = 10_000;

/** The shop at that address (`http://HOST:PORT`). */
export const shopApplication = (url: string): Application => ({
  noun: "orders",
  customer: () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return {
      isServed: async () => (await send({ url: `${url}/`, agent }))?.code === 200,
      ask: async (id) => {
        const body = JSON.stringify({ id });
        const answer = await send({ url: `${url}/orders`, agent, body });
        if (answer === null) return "unknown";
        return answer.code === 201 ? "acknowledged" : "refused";
      },
      close: () => agent.destroy(),
    };
  },
  kept: async () => {
    const answer = await send({ url: `${url}/orders`, timeoutMs: LIST_MS_MAX });
    if (answer === null || answer.code !== 200) return null;
    const { ids }: { ids: string[] } = JSON.parse(answer.text);
    return new Set(ids);
  },
});

type Call = {
  readonly url: string;
  readonly agent?: Agent;
  /** With a body it is a POST. */
  readonly body?: string;
  readonly timeoutMs?: number;
};

/** One HTTP call; null when no whole answer came in time, or none at all. */
function send(call: Call): Promise<{ code: number; text: string } | null> {
  const { url, agent, body, timeoutMs = ANSWER_MS_MAX } = call;
  const { promise, resolve } = Promise.withResolvers<{ code: number; text: string } | null>();
  const options = { method: body === undefined ? "GET" : "POST" };
  const outgoing = request(
    url,
    agent === undefined ? options : { ...options, agent },
    (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (part: string) => {
        text += part;
      });
      incoming.on("end", () => resolve({ code: incoming.statusCode ?? 0, text }));
      incoming.on("error", () => resolve(null));
    },
  );
  const timer = setTimeout(() => outgoing.destroy(), timeoutMs);
  outgoing.on("close", () => {
    clearTimeout(timer);
    resolve(null);
  });
  outgoing.on("error", () => resolve(null));
  outgoing.end(body);
  return promise;
}
