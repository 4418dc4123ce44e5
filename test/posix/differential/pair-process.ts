/**
 * One node of a replicating pair in a process of its own, which can be killed: its engine with
 * real mounts (testing/pair.ts), told what to do by the process that started it.
 */
import { assert } from "../../../model/shared/assert.ts";
import { bootMs } from "../../../node-agent/adapters/linux/clock.ts";
import { TestNode } from "../../../node-agent/replication/testing/pair.ts";

export type NodeOrder =
  | { readonly kind: "open" }
  | { readonly kind: "connect"; readonly session: string; readonly port: number }
  | { readonly kind: "serve" | "follow" | "attach" | "acknowledgeAlone"; readonly epoch: number }
  | { readonly kind: "events" }
  | { readonly kind: "close" };

const [, , name = "", folder = ""] = process.argv;
const node = new TestNode(name, folder);
const WAIT_MS_MAX = 30_000;

async function must(result: Promise<{ ok: boolean }>): Promise<string> {
  const settled = await result;
  if (!settled.ok) throw new Error(JSON.stringify(settled));
  return "ok";
}

/** The stream runs, and every operation needs the peer from here on. */
async function attach(epoch: number): Promise<string> {
  const seen = node.events.length;
  await must(node.engine.startResync({ epoch }));
  const deadlineMs = bootMs() + WAIT_MS_MAX;
  for (;;) {
    const since = node.events.slice(seen);
    if (since.some(({ kind }) => kind === "attached")) break;
    const failed = since.find(({ kind }) => kind === "resyncFailed");
    if (failed !== undefined) return attach(epoch);
    if (bootMs() > deadlineMs) throw new Error(`not attached: ${JSON.stringify(since.slice(-3))}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return must(node.engine.requirePeer(epoch));
}

async function obey(order: NodeOrder): Promise<string> {
  switch (order.kind) {
    case "open":
      await node.open();
      return `${node.port}`;
    case "connect": {
      const bytes = Buffer.from(order.session, "hex");
      node.engine.addSession({
        sessionId: bytes.subarray(0, 16),
        replicationKey: bytes.subarray(16),
        peerId: name === "node1" ? "node2" : "node1",
      });
      node.engine.setPeer([{ host: "127.0.0.1", port: order.port }]);
      return "ok";
    }
    case "serve":
      node.holdLease(order.epoch);
      return must(node.engine.serve({ epoch: order.epoch, ackBy: "none" }));
    case "follow":
      return must(node.engine.follow({ epoch: order.epoch }));
    case "attach":
      return attach(order.epoch);
    case "acknowledgeAlone":
      return must(node.engine.acknowledgeAlone(order.epoch));
    case "events":
      return JSON.stringify(node.events.splice(0));
    case "close":
      await node.close();
      return "ok";
  }
}

assert(process.send !== undefined, "started by killable-pair.ts");
process.on("message", (order: NodeOrder) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
