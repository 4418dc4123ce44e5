import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

/**
 * A simulation is worth as much as the code that it runs is the product's. So whatever it loads of
 * the product takes time, chance, files, sockets and processes from outside, through a port: then
 * the same lines run here and on a machine. Adapters are where the machine begins.
 */

const ROOT = join(import.meta.dirname, "../..");
const BANNED: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a clock", /\bDate\.now\b|\bnew Date\b|\bperformance\.now\b|\bprocess\.hrtime\b/],
  ["a timer", /\bset(?:Timeout|Interval|Immediate)\(/],
  ["chance", /\bMath\.random\b|(?<!\.)\brandom(?:Bytes|UUID)\(/],
  ["the machine", /from "node:(?:fs|net|dgram|http|https|tls|os|child_process|worker_threads)/],
];

/** Static imports of values: types are gone before anything runs. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(file, "utf8");
  const found = text.matchAll(/^(?:import|export)(?! type)[^;]*? from "([^"]+)";/gms);
  return [...found].flatMap(([whole, name = ""]) => {
    const names = whole.replace(/^import\s*\{|\}\s*from[\s\S]*$/g, "").split(",");
    const areTypes = whole.includes("{") && names.every((one) => /^\s*(?:type\s|$)/.test(one));
    if (areTypes) return [];
    if (name.startsWith("#model/")) return [join(ROOT, name.slice(1))];
    return name.startsWith(".") ? [join(dirname(file), name)] : [];
  });
}

function loadedBy(first: string): readonly string[] {
  const found = new Set<string>();
  const waiting = [first];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file) || !existsSync(file)) continue;
    found.add(file);
    if (!file.includes("/adapters/")) waiting.push(...importsOf(file));
  }
  return [...found].map((file) => relative(ROOT, file)).sort();
}

const product = loadedBy(join(ROOT, "test/sim/world.ts")).filter(
  (file) => !file.startsWith("test/") && !file.includes("/adapters/"),
);

test("the simulation runs the agent, its data loop, the arbiter and the reconciler", () => {
  for (const file of [
    ...["model/quorum/node.ts", "model/quorum/decide-vote.ts", "model/states/lifecycle.ts"],
    ...["model/replication/sender-window.ts", "model/replication/receiver-order.ts"],
    ...["node-agent/mirror/mirror-module.ts", "node-agent/mirror/hosted-mirror.ts"],
    ...["node-agent/mirror/data-plane.ts", "node-agent/mirror/service.ts"],
    ...["node-agent/modules/life-cycle.ts", "node-agent/peering.ts"],
    ...["node-agent/peer/heartbeat-core.ts", "node-agent/peer/lease-cell.ts"],
    ...["node-agent/guard/guard-book.ts", "node-agent/replication/core.ts"],
    ...["node-agent/replication/primary-side.ts", "node-agent/replication/secondary-side.ts"],
    ...["node-agent/replication/sender.ts", "node-agent/replication/receiver.ts"],
    ...["functions/arbiter/step.ts", "functions/reconciler/reconciler.ts"],
  ]) {
    expect(product).toContain(file);
  }
});

test.each(product)("%s touches the world through ports only", (file) => {
  const text = readFileSync(join(ROOT, file), "utf8");
  const touched = BANNED.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
  expect(touched).toEqual([]);
});
