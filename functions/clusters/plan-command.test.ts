import { describe, expect, test } from "vitest";
import type { CommandRequest } from "#model/contract/commands.ts";
import type { ModuleEntry } from "#model/contract/configuration.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { planCommand } from "./plan-command.ts";

const shop: ModuleEntry = {
  id: "shop",
  mode: "mirror",
  version: 1,
  sha256: "0".repeat(64),
  bytes: 1,
  nodes: ["node1", "node2"],
  uploadedAtMs: 0,
  uploadedBy: "person:ann",
};
const record: WitnessRecord = {
  moduleId: "shop",
  storeId: "store-1",
  version: 3,
  epoch: 7,
  historyId: "h",
  primary: "node1",
  inSync: ["node1", "node2"],
  grant: null,
  requests: [],
  isRecovering: false,
  reports: [],
};
const plan = (request: CommandRequest, module = shop, was: WitnessRecord | null = record) =>
  planCommand(module, was, request);
const phases = (request: CommandRequest) => {
  const planned = plan(request);
  return planned.ok ? planned.value.phases : planned.error.code;
};

describe("a command", () => {
  test.each<[string, CommandRequest, unknown]>([
    ["start goes to all nodes at once", { kind: "start" }, [["node1", "node2"]]],
    ["start of one node", { kind: "start", node: "node2" }, [["node2"]]],
    ["stop takes the secondary first", { kind: "stop" }, [["node2"], ["node1"]]],
    ["stop of one node", { kind: "stop", node: "node1" }, [["node1"]]],
    ["restart is the primary's", { kind: "restart" }, [["node1"]]],
    ["switchover is told to the primary", { kind: "switchover" }, [["node1"]]],
    ["switchover to who leads already", { kind: "switchover", node: "node1" }, "refused"],
    ["a node without a part in it", { kind: "start", node: "node3" }, "badRequest"],
    ["an epoch that is over", { kind: "stop", seenEpoch: 6 }, "stale"],
    ["the current epoch", { kind: "stop", seenEpoch: 7, node: "node2" }, [["node2"]]],
    ["force without confirmation", { kind: "force-primary", node: "node2" }, "refused"],
    [
      "force confirmed with another name",
      { kind: "force-primary", node: "node2", confirm: "shop2" },
      "refused",
    ],
    ["force confirmed", { kind: "force-primary", node: "node2", confirm: "shop" }, [["node2"]]],
    ["force without a node", { kind: "force-primary", confirm: "shop" }, "badRequest"],
    [
      "full resync of the source",
      { kind: "full-resync", node: "node1", confirm: "shop" },
      "refused",
    ],
  ])("%s", (_name, request, expected) => {
    expect(phases(request)).toEqual(expected);
  });

  test("names the node that shall lead after a switchover", () => {
    const planned = plan({ kind: "switchover" });
    expect(planned.ok && planned.value.node).toBe("node2");
  });

  test("is refused where the kind of module has no primary", () => {
    const farm: ModuleEntry = { ...shop, mode: "farm" };
    const planned = plan({ kind: "switchover" }, farm, null);
    expect(planned.ok ? "" : planned.error.message).toContain("mirror");
  });
});
