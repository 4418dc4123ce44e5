/** For tests: what an agent says of one mirror module. */
import type { ModuleStateWord, NodeReport } from "#model/contract/report.ts";

/** A whole report with the module `shop` in one state. */
export const report = (state: ModuleStateWord): NodeReport => ({
  agentVersion: "0.0.0",
  bootId: "boot-1",
  instanceId: "instance-1",
  sentAtMs: Date.now(),
  modules: [
    {
      moduleId: "shop",
      mode: "mirror",
      state,
      readiness: "Ready",
      why: `it is ${state}`,
      sinceMs: Date.now(),
      quorum: {
        epoch: 1,
        primary: "node1",
        inSync: ["node1", "node2"],
        outdated: false,
        grant: null,
        fenced: false,
      },
      replication: { attached: true, lagMs: 1, backlogBytes: 0, resync: null, trees: ["/data"] },
      vips: [],
      resources: [],
      configurationVersion: 1,
    },
  ],
  links: [],
  events: [],
});
