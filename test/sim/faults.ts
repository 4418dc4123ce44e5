import type { Prng } from "./prng.ts";
import { ADDRESS_FAULTS } from "./sim-address-driver.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/**
 * Everything that can be done to the world, by the rows of the fault matrix. A fault begins, and
 * says how it is undone when its time is over; an instant one has nothing to undo.
 */
export type Fault = {
  readonly name: string;
  readonly rows: readonly string[];
  /** How long it lasts, in milliseconds. */
  readonly lastsMs: readonly [number, number];
  readonly begin: (world: World, prng: Prng) => (() => void) | null;
};

const INSTANT = [0, 0] as const;
const SECONDS = [500, 30_000] as const;

const anyNode = (world: World, prng: Prng): SimNode => prng.pick(world.both());
const leaderOr = (world: World, prng: Prng): SimNode => world.leader() ?? anyNode(world, prng);
const secondaryOr = (world: World, prng: Prng): SimNode =>
  world.leader()?.peer ?? anyNode(world, prng);
const eitherRole = (world: World, prng: Prng): SimNode =>
  prng.chance(0.6) ? leaderOr(world, prng) : secondaryOr(world, prng);

const calm = { loss: 0, duplicate: 0, corrupt: 0, jitterMs: 0, delayMs: 0 };

function cutLinks(world: World, pairs: readonly (readonly [string, string])[]): () => void {
  for (const [a, b] of pairs) world.net.between(a, b, { isCut: true });
  return () => {
    for (const [a, b] of pairs) world.net.between(a, b, { isCut: false });
  };
}

function bootLater(world: World, node: SimNode, delayMs: number): void {
  world.clock.after("calendar", delayMs, () => node.boot());
}

/** A later part of a fault: it does not come any more once people have mended everything. */
function later(world: World, delayMs: number, run: () => void): void {
  const { era } = world;
  world.clock.after("calendar", delayMs, () => {
    if (world.era === era) run();
  });
}

function offThenOn(world: World, node: SimNode, offMs: number, between?: () => void): void {
  node.powerCut();
  between?.();
  bootLater(world, node, offMs);
}

const processes: readonly Fault[] = [
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
      leaderOr(world, prng).application.kill();
      return null;
    },
  },
  {
    name: "hangApplication",
    rows: ["C02", "C46"],
    lastsMs: SECONDS,
    begin: (world, prng) => {
      const { application } = leaderOr(world, prng);
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
      const { application } = leaderOr(world, prng);
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

const disturbances: readonly ((world: World, node: SimNode) => void)[] = [
  (world, node) => world.net.between(node.id, node.peerId, { isCut: true }),
  (_, node) => node.peer.agentDies("killed"),
  (_, node) => node.agent?.hosted?.module.command({ kind: "switchover" }),
  (_, node) => node.peer.agent?.hosted?.module.command({ kind: "switchover" }),
  (_, node) => node.peer.agent?.hosted?.module.command({ kind: "stop" }),
];

function hang(node: SimNode, thread: "main" | "data"): (() => void) | null {
  if (!node.machine.isOn) return null;
  node.machine.hang(thread);
  return () => node.machine.unhang(thread);
}

const machines: readonly Fault[] = [
  {
    name: "freezeShort",
    rows: ["C03"],
    lastsMs: [300, 1000],
    begin: (world, prng) => freeze(world, [eitherRole(world, prng)], prng),
  },
  {
    name: "freezeLong",
    rows: ["C04"],
    lastsMs: [2000, 60_000],
    begin: (world, prng) => freeze(world, [eitherRole(world, prng)], prng),
  },
  {
    name: "freezeBoth",
    rows: ["C04"],
    lastsMs: [1000, 20_000],
    begin: (world, prng) => freeze(world, world.both(), prng),
  },
  {
    name: "powerCut",
    rows: ["C12"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      offThenOn(world, eitherRole(world, prng), prng.between(5000, 40_000));
      return null;
    },
  },
  {
    name: "quickReset",
    rows: ["C53"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      offThenOn(world, secondaryOr(world, prng), prng.between(100, 1200));
      return null;
    },
  },
  {
    name: "powerCutBoth",
    rows: ["C24"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const [first, last] = prng.chance(0.5) ? world.both() : [...world.both()].reverse();
      if (first === undefined || last === undefined) return null;
      world.see(`boot with {${world.authority.inSync}}`);
      offThenOn(world, first, prng.between(1000, 5000));
      offThenOn(world, last, prng.between(15_000, 60_000));
      return null;
    },
  },
  {
    name: "bootBoth",
    rows: ["C25"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      world.see(`boot with {${world.authority.inSync}}`);
      const offMs = prng.between(500, 5000);
      for (const node of world.both()) offThenOn(world, node, offMs);
      return null;
    },
  },
  {
    name: "bootWrongFirst",
    rows: ["C26"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = secondaryOr(world, prng);
      node.powerCut();
      later(world, 8000, () => {
        world.see(`boot with {${world.authority.inSync}}`);
        node.peer.powerCut();
        bootLater(world, node, 1000);
        bootLater(world, node.peer, prng.between(5000, 30_000));
      });
      return null;
    },
  },
];

function freeze(world: World, nodes: readonly SimNode[], prng: Prng): () => void {
  const how = prng.pick(["stopped", "paused"] as const);
  world.see(`freeze ${how}`);
  for (const node of nodes) node.machine.stop(how);
  return () => {
    for (const node of nodes) node.machine.resume();
  };
}

const networks: readonly Fault[] = [
  {
    name: "cutPair",
    rows: ["C05", "C09"],
    lastsMs: [1000, 60_000],
    begin: (world) => cutLinks(world, [["a", "b"]]),
  },
  {
    name: "isolate",
    rows: ["C08", "C09"],
    lastsMs: [1000, 60_000],
    begin: (world, prng) => {
      const { id, peerId } = eitherRole(world, prng);
      return cutLinks(world, [
        [id, peerId],
        [id, "W"],
      ]);
    },
  },
  {
    name: "oneWay",
    rows: ["C10"],
    lastsMs: [1000, 40_000],
    begin: (world, prng) => {
      const [from, to] = prng.pick([
        ["a", "b"],
        ["b", "a"],
        ["a", "W"],
        ["W", "a"],
        ["b", "W"],
        ["W", "b"],
      ] as const);
      const wire = world.net.wire(from, to);
      wire.isCut = true;
      return () => {
        wire.isCut = false;
      };
    },
  },
  {
    name: "flapping",
    rows: ["C11"],
    lastsMs: [10_000, 120_000],
    begin: (world, prng) => flap(world, prng.pick([1000, 5000]), () => [["a", "b"]]),
  },
  {
    name: "swizzle",
    rows: ["C42"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) =>
      flap(world, 700, () =>
        prng.sample(
          [
            ["a", "b"],
            ["a", "W"],
            ["b", "W"],
          ] as const,
          prng.int(1, 2),
        ),
      ),
  },
  {
    name: "badNetwork",
    rows: ["C13"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const bad = {
        loss: prng.pick([0, 0.01, 0.05, 0.1, 0.2, 0.3]),
        duplicate: prng.pick([0, 0.05, 0.5]),
        corrupt: prng.pick([0, 0.001, 0.02]),
        jitterMs: prng.pick([0, 5, 40, 400]),
        delayMs: prng.pick([0, 5, 50, 200]),
      };
      world.net.between("a", "b", bad);
      if (prng.chance(0.3)) world.net.between(prng.pick(["a", "b"]), "W", bad);
      return () => {
        for (const [a, b] of [
          ["a", "b"],
          ["a", "W"],
          ["b", "W"],
        ] as const) {
          world.net.between(a, b, calm);
        }
      };
    },
  },
  {
    name: "clog",
    rows: ["C13"],
    lastsMs: [2000, 10_000],
    begin: (world, prng) => {
      const [from, to] = prng.pick([
        ["a", "b"],
        ["b", "a"],
      ] as const);
      const wire = world.net.wire(from, to);
      wire.delayMs = prng.between(500, 5000);
      return () => {
        wire.delayMs = 0;
      };
    },
  },
  {
    name: "cutStreams",
    rows: ["C51"],
    lastsMs: [3000, 60_000],
    begin: (world, prng) => {
      world.sockets.isBlocked = true;
      const undo = prng.chance(0.4) ? cutWitness(world) : null;
      return () => {
        world.sockets.isBlocked = false;
        undo?.();
      };
    },
  },
  {
    name: "cutResync",
    rows: ["C48"],
    lastsMs: [20_000, 60_000],
    begin: (world, prng) => {
      const target = secondaryOr(world, prng);
      const phase = prng.pick(["comparing", "catchingUp", "finalPass", "syncing"]);
      const source = target.peer;
      source.resyncPhase = "";
      target.agentDies("killed, so that it is resynced");
      let isOver = false;
      const look = (): void => {
        if (isOver) return;
        if (source.resyncPhase !== phase) {
          later(world, 5, look);
          return;
        }
        world.see(`resync cut in ${phase}`);
        strikeResync(world, prng, source);
      };
      look();
      return () => {
        isOver = true;
      };
    },
  },
];

function strikeResync(world: World, prng: Prng, source: SimNode): void {
  switch (prng.pick(["cut", "source", "target", "power"] as const)) {
    case "cut": {
      const undo = cutLinks(world, [["a", "b"]]);
      world.clock.after("calendar", prng.between(100, 6000), undo);
      return;
    }
    case "source":
      source.agentDies("killed as the source of a resync");
      return;
    case "target":
      source.peer.agentDies("killed as the target of a resync");
      return;
    case "power":
      offThenOn(world, source.peer, prng.between(1000, 10_000));
      return;
  }
}

function flap(
  world: World,
  periodMs: number,
  choose: () => readonly (readonly [string, string])[],
): () => void {
  let undo: (() => void) | null = null;
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    if (undo === null) undo = cutLinks(world, choose());
    else {
      undo();
      undo = null;
    }
    later(world, periodMs, turn);
  };
  turn();
  return () => {
    isOver = true;
    undo?.();
  };
}

function cutWitness(world: World): () => void {
  world.see("W away");
  return cutLinks(world, [
    ["a", "W"],
    ["b", "W"],
  ]);
}

const witnesses: readonly Fault[] = [
  { name: "witnessAway", rows: ["C06"], lastsMs: [5000, 120_000], begin: cutWitness },
  {
    name: "witnessThenPeer",
    rows: ["C07", "C50"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const node = secondaryOr(world, prng);
      const [first, second] = prng.chance(0.5) ? ["W", "peer"] : ["peer", "W"];
      let undo: () => void = () => undefined;
      const strike = (what: string | undefined): void => {
        if (what === "W") undo = cutWitness(world);
        else if (prng.chance(0.5)) offThenOn(world, node, prng.between(5000, 40_000));
        else node.agent?.hosted?.module.command({ kind: "stop" });
      };
      strike(first);
      let isOver = false;
      later(world, prng.between(500, 8000), () => {
        if (!isOver) strike(second);
      });
      return () => {
        isOver = true;
        undo();
      };
    },
  },
  {
    name: "witnessAwayPowerCycle",
    rows: ["C54"],
    lastsMs: [20_000, 60_000],
    begin: (world, prng) => {
      const undo = cutWitness(world);
      const node = leaderOr(world, prng);
      later(world, 4000, () => offThenOn(world, node, prng.between(2000, 15_000)));
      return undo;
    },
  },
  {
    name: "witnessSlow",
    rows: ["C28"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.delayMs = prng.pick([500, 2000, 5000, 20_000]);
      store.faults.latencyMs = prng.pick([3, 100, 800]);
      return () => {
        faults.delayMs = 0;
        store.faults.latencyMs = 3;
      };
    },
  },
  {
    name: "witnessNonsense",
    rows: ["C29"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.nonsense = prng.pick([0, 0.3, 1]);
      store.faults.throttled = prng.pick([0, 0.3, 1]);
      store.faults.failing = prng.pick([0, 0.3]);
      return () => {
        faults.nonsense = 0;
        Object.assign(store.faults, { throttled: 0, failing: 0 });
      };
    },
  },
  {
    name: "lostReplies",
    rows: ["C30"],
    lastsMs: [5000, 90_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.echo = prng.pick([0, 0.3, 1]);
      Object.assign(store.faults, {
        lostReply: prng.pick([0, 0.3, 1]),
        lateCommit: prng.pick([0, 0.3]),
      });
      const lossy = prng.pick([0, 0.5, 1]);
      for (const id of ["a", "b"]) world.net.wire("W", id).loss = lossy;
      // The peer goes while answers are lost: then they matter.
      if (prng.chance(0.7)) {
        const undo = cutLinks(world, [["a", "b"]]);
        world.clock.after("calendar", prng.between(1000, 20_000), undo);
      }
      return () => {
        faults.echo = 0;
        Object.assign(store.faults, { lostReply: 0, lateCommit: 0 });
        for (const id of ["a", "b"]) world.net.wire("W", id).loss = 0;
      };
    },
  },
  {
    name: "storeRestored",
    rows: ["C31"],
    lastsMs: [2000, 30_000],
    begin: (world, prng) => {
      const { controlPlane } = world;
      controlPlane.store.takeBackup();
      const isEmpty = prng.chance(0.4);
      return () => {
        if (world.mayForget("W")) controlPlane.restoreStore(isEmpty);
      };
    },
  },
  {
    name: "witnessRestarts",
    rows: ["C06"],
    lastsMs: [500, 10_000],
    begin: (world) => {
      const { controlPlane } = world;
      controlPlane.faults.isDown = true;
      return () => {
        controlPlane.faults.isDown = false;
        controlPlane.restart();
      };
    },
  },
];

const disks: readonly Fault[] = [
  {
    name: "diskFull",
    rows: ["C14"],
    lastsMs: [2000, 60_000],
    begin: (world, prng) => dataError(diskTargets(world, prng), "ENOSPC"),
  },
  {
    name: "diskError",
    rows: ["C15", "C16"],
    lastsMs: [1000, 30_000],
    begin: (world, prng) => dataError([eitherRole(world, prng)], "EIO"),
  },
  {
    name: "diskReadOnly",
    rows: ["C17"],
    lastsMs: [1000, 30_000],
    begin: (world, prng) => dataError([eitherRole(world, prng)], "EROFS"),
  },
  {
    name: "diskSlow",
    rows: ["C18"],
    lastsMs: [2000, 40_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      const { faults } = node.disk;
      node.hadDiskFault = true;
      faults.slowMs = prng.pick([200, 1000, 5000, 30_000, Number.POSITIVE_INFINITY]);
      return () => {
        faults.slowMs = 0;
      };
    },
  },
  {
    name: "stateDiskError",
    rows: ["C19"],
    lastsMs: [2000, 30_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      const { faults } = node.disk;
      faults.stateError = prng.pick(["EIO", "ENOSPC", "EROFS"]);
      node.hadDiskFault = true;
      // It shows when something is to be kept.
      if (prng.chance(0.7)) world.net.between("a", "b", { isCut: true });
      return () => {
        faults.stateError = null;
        world.net.between("a", "b", { isCut: false });
        // A node whose state could not be kept takes part again when its agent starts anew.
        node.agentDies("restarted after its state disk was repaired");
      };
    },
  },
  {
    name: "quorumFileDamaged",
    rows: ["C20"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      if (!world.mayForget(node.id)) return null;
      node.disk.damageQuorum();
      node.agentDies("restarted with a damaged file");
      world.needsPerson = true;
      return null;
    },
  },
  {
    name: "diskReplaced",
    rows: ["C21"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      if (!world.mayForget(node.id)) return null;
      offThenOn(world, node, prng.between(2000, 20_000), () => {
        node.disk.replace();
        world.onLoss(node, "all");
        world.needsPerson = true;
      });
      return null;
    },
  },
  {
    name: "rolledBack",
    rows: ["C22"],
    lastsMs: [10_000, 60_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      // What a snapshot of a running machine's disk holds is what was flushed by then.
      const restore = node.disk.snapshot();
      const epoch = world.authority.epoch;
      if (prng.chance(0.7)) node.agent?.hosted?.module.command({ kind: "switchover" });
      return () => {
        // Within the same epoch nothing on the disk tells: documented as not protected.
        if (world.authority.epoch === epoch || !world.mayForget(node.id)) return;
        node.powerCut();
        restore();
        world.onLoss(node, "all");
        world.needsPerson = true;
        bootLater(world, node, 2000);
      };
    },
  },
];

function diskTargets(world: World, prng: Prng): readonly SimNode[] {
  return prng.chance(0.2) ? world.both() : [eitherRole(world, prng)];
}

function dataError(nodes: readonly SimNode[], error: "EIO" | "ENOSPC" | "EROFS"): () => void {
  for (const node of nodes) {
    node.disk.faults.dataError = error;
    node.hadDiskFault = true;
  }
  return () => {
    for (const node of nodes) node.disk.faults.dataError = null;
  };
}

const clocks: readonly Fault[] = [
  {
    name: "wallClockStep",
    rows: ["C34"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      anyNode(world, prng).machine.stepWallClock(prng.pick([-3_600_000, 3_600_000, 2000, -500]));
      return null;
    },
  },
  {
    name: "wallClockStrobe",
    rows: ["C34"],
    lastsMs: [5000, 30_000],
    begin: (world, prng) => {
      const { machine } = anyNode(world, prng);
      let isOver = false;
      let sign = 1;
      const step = (): void => {
        if (isOver) return;
        machine.stepWallClock(sign * 3_600_000);
        sign = -sign;
        later(world, 1000, step);
      };
      step();
      return () => {
        isOver = true;
      };
    },
  },
  {
    name: "clockDrift",
    rows: ["C34"],
    lastsMs: [20_000, 200_000],
    begin: (world, prng) => {
      for (const node of world.both()) node.machine.setRate(prng.between(0.95, 1.05));
      return () => {
        for (const node of world.both()) node.machine.setRate(1);
      };
    },
  },
];

const addresses: readonly Fault[] = [
  {
    name: "addressInterface",
    rows: ["C36"],
    lastsMs: [5000, 90_000],
    begin: (world, prng) => {
      const { driver } = world.controlPlane;
      driver.fault = prng.pick(ADDRESS_FAULTS);
      world.see(`address ${driver.fault}`);
      if (prng.chance(0.6)) leaderOr(world, prng).agent?.hosted?.module.command(SWITCHOVER);
      return () => driver.heal();
    },
  },
  {
    name: "swapsInARow",
    rows: ["C38"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      for (let n = 0; n < 5; n += 1) {
        later(world, n * prng.between(3000, 12_000), () =>
          world.leader()?.agent?.hosted?.module.command(SWITCHOVER),
        );
      }
      return null;
    },
  },
];

const SWITCHOVER = { kind: "switchover" } as const;

const operators: readonly Fault[] = [
  {
    name: "switchover",
    rows: ["C43"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      eitherRole(world, prng).agent?.hosted?.module.command(SWITCHOVER);
      return null;
    },
  },
  {
    name: "stopStart",
    rows: ["C40"],
    lastsMs: [500, 30_000],
    begin: (world, prng) => {
      const nodes = prng.chance(0.4) ? world.both() : [eitherRole(world, prng)];
      for (const node of nodes) node.agent?.hosted?.module.command({ kind: "stop" });
      return () => {
        for (const node of nodes) {
          node.agent?.hosted?.module.command({ kind: "start", dataFrom: null });
        }
      };
    },
  },
  {
    name: "applicationStoppedHung",
    rows: ["C46"],
    lastsMs: [3000, 30_000],
    begin: (world, prng) => {
      const node = leaderOr(world, prng);
      node.application.isHung = node.application.isRunning;
      node.agent?.hosted?.module.command(SWITCHOVER);
      return () => {
        node.application.isHung = false;
      };
    },
  },
  {
    name: "forceInIsolation",
    rows: ["C27"],
    lastsMs: [5000, 30_000],
    begin: (world, prng) => {
      const node = secondaryOr(world, prng);
      const undo = cutLinks(world, [["a", "b"]]);
      if (prng.chance(0.6)) node.peer.powerCut();
      later(world, prng.between(2000, 10_000), () => {
        const { hosted } = node.agent ?? {};
        if (hosted === undefined || hosted === null) return;
        hosted.module.command({
          kind: "forcePrimary",
          seenEpoch: hosted.module.disk.epoch,
          historyId: `forced-${world.clock.steps}`,
          ...{ by: "ann", reason: "the other is lost", withoutWitness: false },
        });
      });
      return () => {
        undo();
        node.peer.boot();
      };
    },
  },
  {
    name: "restartInPlace",
    rows: ["C43"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      leaderOr(world, prng).agent?.hosted?.module.service.restart(null);
      return null;
    },
  },
];

export const FAULTS: readonly Fault[] = [
  ...processes,
  ...machines,
  ...networks,
  ...witnesses,
  ...disks,
  ...clocks,
  ...addresses,
  ...operators,
];
