/** The first start ever, when both nodes hold data: nobody guesses which copy is the good one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { type LabCluster, startCluster } from "./cluster.ts";
import { Lab } from "./lab.ts";

const ANSWER = join(import.meta.dirname, "..", "bench", "answer");

let lab: Lab;
let cluster: LabCluster;

beforeAll(async () => {
  lab = await Lab.up();
  for (const name of ["node1", "node2"]) {
    await lab
      .machine(name)
      .mustExec(["sh", "-c", `mkdir /srv/data && echo ${name} > /srv/data/whose`]);
  }
  await lab.machine("node2").mustExec(["sh", "-c", "echo old > /srv/data/only-on-node2"]);
  cluster = await startCluster(lab, { say: () => undefined, module: "answer", folder: ANSWER });
}, 120_000);

afterAll(async () => {
  await cluster?.close();
  await lab?.down();
}, 60_000);

test("both wait until a person names the good copy; the other one is kept aside", async () => {
  onTestFailed(() => console.log(cluster.logs()));
  await cluster.waitForStates({ node1: "WAIT", node2: "WAIT" }, 30_000);
  expect((await cluster.report("node1"))?.why).toContain("good copy");
  await cluster.command({ kind: "start", dataFrom: "node1" });
  await cluster.waitForStates({ node1: "PRIM", node2: "SECOND" }, 60_000);
  const copy = (file: string): string =>
    readFileSync(lab.machine("node2").path(`/srv/data/${file}`), "utf8");
  expect(copy("whose")).toBe("node1\n");
  expect(() => copy("only-on-node2")).toThrow();
  const kept = await lab
    .machine("node2")
    .mustExec(["sh", "-c", "cd /srv/mirrorfarm/modules/answer/aside && grep -r . ."]);
  expect(kept).toContain("only-on-node2");
  expect(kept).toMatch(/whose:node2/);
});
