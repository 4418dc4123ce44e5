import type { SimNode } from "../sim-node.ts";
import type { World } from "../world.ts";
import {
  anyNode,
  eitherRole,
  type Fault,
  INSTANT,
  later,
  leaderOr,
  leaderPart,
  SECONDS,
} from "./fault.ts";

export const processes: readonly Fault[] = [
  {
    name: "killAgent",
    rows: ["C01"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      eitherRole(world, prng).agentDies("killed");
      return null;
    },
  },
  {
    name: "crashPoint",
    rows: ["C01", "C41", "C47"],
    lastsMs: [3000, 10_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      const { agent } = node;
      if (agent !== null) agent.dieAt = prng.int(0, 12);
      // Something must happen for it to be reached.
      if (prng.chance(0.6)) prng.pick(disturbances)(world, node);
      return () => {
        if (agent !== null) agent.dieAt = null;
        world.net.heal();
      };
    },
  },
  {
    name: "crashAfterField",
    rows: ["C01", "C41"],
    lastsMs: [3000, 10_000],
    begin: (world, prng) => {
      const field = prng.pick(KEPT_FIELDS);
      const node = field === "released" ? leaderOr(world, prng) : eitherRole(world, prng);
      const { agent } = node;
      if (agent !== null) agent.dieAfter = field;
      if (field === "released") node.order("switchover");
      else prng.pick(disturbances)(world, node);
      return () => {
        if (agent !== null) agent.dieAfter = null;
        world.net.heal();
      };
    },
  },
  {
    name: "crashInStart",
    rows: ["C41"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = anyNode(world, prng);
      node.agentDies("killed");
      for (let n = 1; n <= prng.int(1, 4); n += 1) {
        later(world, n * prng.between(200, 1500), () => node.agentDies("killed in its start"));
      }
      return null;
    },
  },
  {
    name: "killApplication",
    rows: ["C02"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      leaderPart(world, prng).application.kill();
      return null;
    },
  },
  {
    name: "hangApplication",
    rows: ["C02", "C46"],
    lastsMs: SECONDS,
    begin: (world, prng) => {
      const { application } = leaderPart(world, prng);
      application.isHung = application.isRunning;
      return () => {
        application.isHung = false;
      };
    },
  },
  {
    name: "applicationDoesNotStart",
    rows: ["C02"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const { application } = leaderPart(world, prng);
      application.failsToStart = true;
      application.kill();
      return () => {
        application.failsToStart = false;
      };
    },
  },
  {
    name: "hangMain",
    rows: ["C52"],
    lastsMs: [1000, 40_000],
    begin: (world, prng) => hang(eitherRole(world, prng), "main"),
  },
  {
    name: "hangData",
    rows: ["C52"],
    lastsMs: [1000, 30_000],
    begin: (world, prng) => hang(eitherRole(world, prng), "data"),
  },
  {
    name: "upgrade",
    rows: ["C35"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      void eitherRole(world, prng).agent?.leave();
      return null;
    },
  },
];

/** What a node keeps before it acts on it (coverage.ts asks for a crash after each). */
export const KEPT_FIELDS = [
  ...(["epoch", "inSync", "outdated", "joining", "asked", "released", "standingVotes"] as const),
];

export const disturbances: readonly ((world: World, node: SimNode) => void)[] = [
  (world, node) => world.net.between(node.id, node.peerId, { isCut: true }),
  (_, node) => node.peer.agentDies("killed"),
  (_, node) => node.order("switchover"),
  (_, node) => node.peer.order("switchover"),
  (_, node) => node.peer.order("stop"),
];

function hang(node: SimNode, thread: "main" | "data"): (() => void) | null {
  if (!node.machine.isOn) return null;
  node.machine.hang(thread);
  return () => node.machine.unhang(thread);
}
