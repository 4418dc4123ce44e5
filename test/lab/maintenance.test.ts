/**
 * A person works on real machines: in maintenance the death of the primary moves nothing, its end
 * does; and what forcing the other copy would lose is told in numbers while the primary is alone.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { type LabCluster, startCluster, startServices } from "./cluster.ts";
import { waitFor } from "./command.ts";
import { Lab } from "./lab.ts";

const ANSWER = join(import.meta.dirname, "..", "bench", "answer");
const SETTLED_MS = 60_000;

let lab: Lab;
let cluster: LabCluster;

beforeAll(async () => {
  lab = await Lab.up();
  cluster = await startCluster(lab, { say: () => undefined, module: "answer", folder: ANSWER });
  await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, SETTLED_MS);
}, 120_000);

afterAll(async () => {
  await cluster?.close();
  await lab?.down();
}, 60_000);

test("in maintenance nobody takes over; when it is ended, the failover happens", async () => {
  onTestFailed(() => console.log(cluster.logs()));
  const text = await cluster.command({ kind: "maintenance-on", forMs: 600_000, reason: "memory" });
  expect(text).toContain("in maintenance until");
  expect((await cluster.view()).maintenance).toMatchObject({ reason: "memory" });
  await lab.machine("node1").kill({ power: true });
  await waitFor(
    "node2 to say what it does not do",
    async () => {
      const why = (await cluster.report("node2"))?.why ?? "";
      return why.includes("would have taken over") ? why : null;
    },
    30_000,
  );
  // Its agent restarts in it: that ends nothing.
  await lab.machine("node2").mustExec(["sh", "-c", "pkill -KILL -P $(pgrep -of guard-main.ts)"]);
  await waitFor(
    "node2 to say it again",
    async () => {
      const report = await cluster.report("node2");
      const isBack = report?.why.includes("would have taken over") ?? false;
      return isBack && report?.maintenance != null ? true : null;
    },
    30_000,
  );
  const held = await cluster.view();
  expect(held.witness).toMatchObject({ epoch: 1, primary: "node1" });
  expect(held.why).toContain("In maintenance until");
  await cluster.command({ kind: "maintenance-off" });
  await cluster.waitForStates({ node2: "ALONE" }, 30_000);
  await lab.machine("node1").boot();
  await startServices(lab, "node1");
  await cluster.waitForStates({ node1: "SECOND", node2: "PRIM" }, SETTLED_MS);
  expect((await cluster.view()).maintenance).toBe(null);
}, 180_000);

test("what the copy that is away lacks is told since when, and how much", async () => {
  onTestFailed(() => console.log(cluster.logs()));
  const before = (await cluster.view()).nodes.map(({ possibleLoss }) => possibleLoss?.kind);
  expect(before).toEqual(["none", "none"]);
  await lab.machine("node1").kill({ power: true });
  await cluster.waitForStates({ node2: "ALONE" }, 30_000);
  const write = "for i in 1 2 3 4 5; do head -c 1000 /dev/zero > /srv/data/file$i; done";
  await lab.machine("node2").mustExec(["sh", "-c", write]);
  const loss = await waitFor(
    "the loss to be told in numbers",
    async () => {
      const node = (await cluster.view()).nodes.find(({ nodeId }) => nodeId === "node1");
      // The application writes a little of its own.
      return (node?.possibleLoss?.bytes ?? 0) >= 5000 ? (node?.possibleLoss ?? null) : null;
    },
    20_000,
  );
  expect(loss.kind).toBe("since");
  expect(loss.bytes).toBeLessThan(6000);
  // Each file is at least made and written.
  expect(loss.changes).toBeGreaterThanOrEqual(10);
  expect(loss.text).toContain("node2 had made");
}, 120_000);
