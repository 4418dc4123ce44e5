import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { FAILOVER } from "../fake-api/failover-example.ts";
import { NOW_MS, SCENARIOS, type Scenario, snapshotOf } from "../fake-api/scenarios.ts";
import { announcementOf, healthsOf } from "./announcements.ts";
import { adviceFor, byUrgency, clusterNumbers, suggestedAction } from "./attention.ts";
import { filterEvents } from "./event-filter.ts";
import { downText, drawFailover, failoverFigures, isOrderUnsure } from "./failover-drawing.ts";
import { ageText, bytesText, durationText, listText, offsetText } from "./format.ts";
import { keyFacts } from "./key-facts.ts";
import { certificateText, linkText } from "./node-facts.ts";
import { replicationOf } from "./replication-view.ts";
import { topologyOf } from "./topology.ts";
import { layoutTopology } from "./topology-layout.ts";

const moduleOf = (scenario: Scenario): ModuleView => {
  const [module] = snapshotOf(scenario).modules;
  if (module === undefined) throw new Error(`${scenario} has no module`);
  return module;
};
const facts = (scenario: Scenario) =>
  Object.fromEntries(keyFacts(moduleOf(scenario)).map(({ label, text }) => [label, text]));

describe("design tokens", () => {
  test("are the ones that the components define: else pictures fall back to light colours", () => {
    const require = createRequire(import.meta.url);
    const tokens = readFileSync(require.resolve("@cloudscape-design/design-tokens"), "utf8");
    const components = dirname(require.resolve("@cloudscape-design/components/package.json"));
    const css = readFileSync(join(components, "internal/base-theme/styles.scoped.css"), "utf8");
    const names = [...tokens.matchAll(/var\((--[a-z0-9-]+)/g)].map(([, name]) => `${name}:`);
    expect(names.length).toBeGreaterThan(500);
    expect(names.filter((name) => !css.includes(name))).toEqual([]);
  });
});

describe("what a module's page begins with", () => {
  test.each([
    [
      "normal",
      { "Active on": "node1", "In-sync set": "node1 and node2", Replication: "attached, lag 3 ms" },
    ],
    ["normal", { Grant: "node1, by the word of node2", Address: "10.0.0.50 on node1, confirmed" }],
    ["recovering", { Replication: "resynchronising", "In-sync set": "node1" }],
    ["down", { "Active on": "no node", Grant: "nobody holds one" }],
    ["maintenance", { Maintenance: expect.stringContaining("by person:ann: new memory") }],
    [
      "first-start",
      { Epoch: "0", "In-sync set": "nobody yet", Address: "10.0.0.50: nobody leads" },
    ],
  ] as const)("%s: %o", (scenario, expected) => {
    expect(facts(scenario)).toMatchObject(expected);
  });

  test("a fenced primary holds no grant, and it says so", () => {
    const module = moduleOf("normal");
    const nodes = module.nodes.map((node) => {
      if (node.report?.quorum == null) return node;
      return {
        ...node,
        report: {
          ...node.report,
          quorum: { ...node.report.quorum, grant: null, fenced: node.nodeId === "node1" },
        },
      };
    });
    const grant = keyFacts({ ...module, nodes }).find(({ label }) => label === "Grant");
    expect(grant).toMatchObject({ text: "none: node1 is fenced", tone: "error" });
  });
});

describe("the picture of a mirror", () => {
  test.each([
    ["normal", "inSync", ["in sync", "lag 3 ms"]],
    ["recovering", "resync", ["resync 63 %", "118 KiB/s, 5 min left"]],
    ["unprotected", "broken", ["no replication"]],
    ["down", "broken", ["no replication"]],
    ["stopped", "unknown", ["not running"]],
    ["first-start", "unknown", ["not running"]],
  ] as const)("%s: the link is %s", (scenario, kind, label) => {
    expect(topologyOf(moduleOf(scenario), false).link).toMatchObject({ kind, label });
  });

  test("says all of it in words too", () => {
    const { title } = topologyOf(moduleOf("recovering"), false);
    expect(title).toContain("node1 serves; node2 is resynchronising (63 %).");
    expect(title).toContain("Address 10.0.0.50 is on node1.");
  });

  test("claims nothing once it is stale", () => {
    const { nodes, link, title } = topologyOf(moduleOf("normal"), true);
    expect(nodes.map(({ tone }) => tone)).toEqual(["pending", "pending"]);
    expect(link?.kind).toBe("unknown");
    expect(title).toContain("As it was");
  });

  test("puts the address where a node's kernel has it, never on a silent one", () => {
    const withAddress = (scenario: Scenario) =>
      topologyOf(moduleOf(scenario), false)
        .nodes.filter(({ address }) => address !== null)
        .map(({ id }) => id);
    expect(withAddress("normal")).toEqual(["node1"]);
    expect(withAddress("down")).toEqual([]);
  });

  test.each([320, 390, 559, 560, 880, 1600])(
    "stays inside %i px, nothing over anything",
    (width) => {
      for (const count of [1, 2, 3, 12]) {
        const { boxes, height, witness } = layoutTopology(width, count, count <= 2);
        const all = count <= 2 ? [...boxes, witness] : boxes;
        for (const [index, box] of all.entries()) {
          expect(box.x).toBeGreaterThanOrEqual(0);
          expect(box.x + box.width).toBeLessThanOrEqual(width);
          expect(box.y + box.height).toBeLessThanOrEqual(height);
          for (const other of all.slice(index + 1)) {
            const isApart =
              box.x + box.width <= other.x ||
              other.x + other.width <= box.x ||
              box.y + box.height <= other.y ||
              other.y + other.height <= box.y;
            expect(isApart).toBe(true);
          }
        }
      }
    },
  );
});

describe("the picture of a failover", () => {
  const drawing = drawFailover(FAILOVER);

  test("covers the whole axis in every lane", () => {
    for (const { spans } of drawing.lanes) {
      expect(spans[0]?.from).toBe(0);
      expect(spans.at(-1)?.to).toBe(1);
      for (const [index, span] of spans.entries()) {
        expect(span.to).toBeGreaterThanOrEqual(span.from);
        if (index > 0) expect(span.from).toBe(spans[index - 1]?.to);
      }
    }
  });

  test("puts marks that are close to each other into rows", () => {
    expect(drawing.marks.map(({ row }) => row)).toEqual([0, 0, 1, 0, 1, 2, 0]);
    expect(drawing.rows).toBe(3);
  });

  test("has few and round ticks, whatever the length", () => {
    for (const lengthMs of [10, 900, 2_140, 61_000, 3_600_000]) {
      const phases = [
        { kind: "start", fromMs: FAILOVER.startedAtMs, toMs: FAILOVER.startedAtMs + lengthMs },
      ] as const;
      const { ticks } = drawFailover({ ...FAILOVER, phases: [...phases], lanes: [], marks: [] });
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThanOrEqual(20);
    }
  });

  test("gives its figures and its name", () => {
    expect(failoverFigures(FAILOVER).map(({ text }) => text)).toEqual([
      "1.4 s",
      "120 ms",
      "620 ms",
      "2.1 s",
    ]);
    expect(drawing.title).toContain("Failover from node2 to node1");
    expect(downText(null)).toContain("not answered");
  });

  test("claims no order that the clocks cannot tell", () => {
    const [first, , third] = FAILOVER.marks;
    if (first === undefined || third === undefined) throw new Error("no marks");
    const near = { ...third, node: "node2", atMs: first.atMs + 2 };
    expect(isOrderUnsure(first, near)).toBe(true);
    expect(isOrderUnsure(first, { ...near, node: first.node })).toBe(false);
    expect(isOrderUnsure(first, { ...near, atMs: first.atMs + 10 })).toBe(false);
  });
});

describe("what needs a person", () => {
  test.each([
    ["normal", "Switch over", null],
    ["unprotected", "Start on node2", null],
    ["stopped", "Start", null],
    ["first-start", "Start", null],
    ["down", null, "Bring node1 back"],
    ["recovering", null, null],
    ["failing-over", null, null],
  ] as const)("%s: button %s, advice %s", (scenario, label, advice) => {
    const module = moduleOf(scenario);
    expect(suggestedAction(module)?.label ?? null).toBe(label);
    if (advice === null) expect(adviceFor(module)).toBe(null);
    else expect(adviceFor(module)).toContain(advice);
  });

  test("comes worst first, and the numbers count it", () => {
    const modules = [moduleOf("normal"), { ...moduleOf("down"), id: "mail" }];
    expect([...modules].sort(byUrgency).map(({ id }) => id)).toEqual(["mail", "shop"]);
    expect(clusterNumbers(modules, snapshotOf("down").nodes)).toEqual({
      protectedModules: 1,
      modules: 2,
      attention: 1,
      nodesOnline: 1,
      nodes: 2,
      lagMs: 3,
    });
  });

  test("is read out when it changes, and not before", () => {
    const before = healthsOf([moduleOf("normal")]);
    expect(announcementOf(new Map(), [moduleOf("normal")])).toBe(null);
    expect(announcementOf(before, [moduleOf("normal")])).toBe(null);
    expect(announcementOf(before, [moduleOf("down")])).toMatchObject({ isUrgent: true });
    expect(announcementOf(before, [moduleOf("unprotected")])?.text).toContain(
      "shop is now Unprotected. node1 serves alone",
    );
  });
});

describe("events", () => {
  const events = snapshotOf("normal").events;
  test("are found by kind, word and module", () => {
    const all = { moduleId: null, text: "", kind: "all" } as const;
    expect(filterEvents(events, all)).toHaveLength(events.length);
    expect(filterEvents(events, { ...all, kind: "problems" })).toHaveLength(2);
    expect(filterEvents(events, { ...all, text: "LOST node2" })).toHaveLength(1);
    expect(filterEvents(events, { ...all, moduleId: "mail" })).toHaveLength(0);
  });
});

describe("figures", () => {
  test.each([
    [durationText(0), "0 ms"],
    [durationText(2_140), "2.1 s"],
    [durationText(59_999), "59 s"],
    [durationText(180_000), "3 min"],
    [durationText(4_800_000), "1 h 20 min"],
    [durationText(7_200_000), "2 h"],
    [durationText(86_400_000), "24 h"],
    [durationText(5 * 86_400_000), "5 d"],
    [ageText(NOW_MS, NOW_MS - 500), "now"],
    [ageText(NOW_MS - 42_900, NOW_MS), "42 s ago"],
    [bytesText(0), "0 B"],
    [bytesText(1_536), "1.5 KiB"],
    [bytesText(118 * 1024 * 1024), "118 MiB"],
    [offsetText(-40), "−0.04 s"],
    [listText(["a", "b", "c"]), "a, b and c"],
    [certificateText(NOW_MS, NOW_MS), "has ended"],
    [
      linkText({
        peer: "node2",
        network: "default",
        up: true,
        roundTripMs: 0.4,
        lossRatio: 0.02,
        lastHeardMs: 1,
      }),
      "node2 on default: 0.4 ms, 2.0 % lost",
    ],
  ])("%s", (text, expected) => {
    expect(text).toBe(expected);
  });

  test("every scenario keeps to the contract's sentences", () => {
    for (const scenario of SCENARIOS) {
      for (const module of snapshotOf(scenario).modules)
        expect(module.why).not.toContain("undefined");
    }
  });
});

describe("replication", () => {
  const entriesOf = (name: Parameters<typeof moduleOf>[0]) =>
    replicationOf(moduleOf(name), snapshotOf(name).serverTimeMs);

  test("says what the stream does, its rates, and how long callers waited", () => {
    const [primary, secondary] = entriesOf("normal");
    expect(primary?.stream).toEqual({ text: "attached for 3 h", tone: "success" });
    expect(primary?.facts).toContainEqual({ label: "Operations", text: "1241/s" });
    expect(primary?.facts).toContainEqual({
      label: "Waited for the other node",
      text: "half 0.13 ms, 99 % 1 ms at most",
    });
    expect(primary?.waits[0]).toMatchObject({ label: "up to 0.13 ms", count: 1730 });
    expect(secondary?.waits).toEqual([]);
  });

  test("never shows a silent node as if it were now", () => {
    const silent = moduleOf("unprotected").nodes.filter((node) => node.silent);
    const shown = entriesOf("unprotected").map(({ nodeId }) => nodeId);
    for (const { nodeId } of silent) expect(shown).not.toContain(nodeId);
  });
});
