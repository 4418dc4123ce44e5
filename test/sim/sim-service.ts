import type { MirrorConfig } from "#model/module/config.ts";
import { ok } from "#model/shared/result.ts";
import type { ModuleState } from "#model/states/lifecycle.ts";
import { isServing } from "#model/states/lifecycle.ts";
import { Checks } from "../../node-agent/mirror/checks.ts";
import type { NodeTimers } from "../../node-agent/mirror/clock.ts";
import type { NodeAddress, ServiceParts } from "../../node-agent/mirror/service.ts";
import type {
  RunningScript,
  ScriptOutcome,
  ScriptRunner,
} from "../../node-agent/modules/script-runner.ts";
import type { HeldAddress } from "../../node-agent/vip/virtual-address.ts";
import type { Life, Machine } from "./machine.ts";
import type { Prng } from "./prng.ts";

/** What runs on a machine besides the agent, and outlives it. */
export class SimApplication {
  isRunning = false;
  isFrozen = false;
  /** It does not answer, nor stop when it is asked to. */
  isHung = false;
  /** Its start scripts end well and start nothing. */
  failsToStart = false;
  /** The virtual address stands on an interface. */
  hasAddress = false;
  starts = 0;

  kill(): void {
    this.isRunning = false;
    this.isFrozen = false;
    this.isHung = false;
  }
}

export type ServiceWorld = {
  readonly machine: Machine;
  readonly life: Life;
  readonly application: SimApplication;
  readonly prng: Prng;
  readonly config: MirrorConfig;
  readonly timers: NodeTimers;
  /** How long scripts take. */
  readonly startMs: number;
  readonly stopMs: number;
  readonly onAddress: () => void;
};

const HELD: HeldAddress = { address: "10.0.0.100", prefixLength: 32, interfaceName: "eth0" };
const FORCE_MS = 10_000;

/** A module's programs, fence, address and checkers on a simulated machine. */
export function simServiceParts(world: ServiceWorld): ServiceParts {
  return {
    scripts: scriptsOf(world),
    fence: fenceOf(world),
    addresses: [addressOf(world)],
    newChecks: (reactions) =>
      new Checks({
        ...{ config: world.config, timers: world.timers, nowUnixMs: world.machine.unixMs },
        newSet: (onResult) => checkersOf(world, onResult),
        ...reactions,
      }),
  };
}

function scriptsOf(world: ServiceWorld): ScriptRunner {
  const { machine, life, application, startMs, stopMs } = world;
  return {
    run(call): RunningScript {
      const { promise, resolve } = Promise.withResolvers<ScriptOutcome>();
      const exited = (): void => resolve({ kind: "exited", code: 0, ulog: null });
      if (call.script === "start_prim") {
        machine.after(life, "application", "work", startMs, () => {
          if (!application.failsToStart) {
            application.isRunning = true;
            application.isFrozen = false;
            application.starts += 1;
          }
          exited();
        });
      } else if (call.script === "stop_prim") {
        const isForce = call.arguments[0] === "force";
        const takesMs = application.isHung && !isForce ? FORCE_MS : stopMs;
        machine.after(life, "application", "work", takesMs, () => {
          if (!application.isHung || isForce) application.kill();
          exited();
        });
      } else if (call.script === "poststop") {
        application.kill();
        resolve({ kind: "absent" });
      } else resolve({ kind: "absent" });
      return { ulog: null, done: promise, cut: (graceMs) => cut(graceMs, exited) };
    },
    close: () => undefined,
  };
  function cut(graceMs: number, exited: () => void): void {
    machine.after(life, "main", "work", graceMs, exited);
  }
}

function fenceOf(world: ServiceWorld): ServiceParts["fence"] {
  const { machine, life, application, prng } = world;
  const report = (problems: readonly string[]) => ({
    ...{ isComplete: problems.length === 0, problems, otherProcessIds: [] },
  });
  const after = (delayMs: number, run: () => void): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    machine.after(life, "main", "work", delayMs, () => {
      run();
      resolve();
    });
    return promise;
  };
  return {
    warnings: () => [],
    async freeze() {
      await after(prng.between(1, 20), () => {
        application.isFrozen = application.isRunning;
      });
      return report([]);
    },
    async thaw() {
      application.isFrozen = false;
    },
    async kill() {
      await after(prng.between(5, 50), () => application.kill());
      return report([]);
    },
  };
}

function addressOf({ application, onAddress }: ServiceWorld): NodeAddress {
  const set = (has: boolean): void => {
    application.hasAddress = has;
    onAddress();
  };
  return {
    plan: {
      ...{ address: HELD.address, prefixLength: 32, interfaceName: "eth0" },
      ...{ tcpReset: false, reroute: null },
    },
    hold() {
      set(true);
      return ok(HELD);
    },
    async release() {
      set(false);
      return ok(undefined);
    },
    stopAnnouncing: () => undefined,
    observe: () => (application.hasAddress ? [HELD] : []),
  };
}

const RESOURCE = "proc.app";
const LOOK_MS = 600;

/** One checker: is the application there, and does it answer? */
function checkersOf(
  { machine, life, application }: ServiceWorld,
  onResult: Parameters<ConstructorParameters<typeof Checks>[0]["newSet"]>[0],
): ReturnType<ConstructorParameters<typeof Checks>[0]["newSet"]> {
  let isWatching = false;
  let isClosed = false;
  const look = (): void => {
    if (isClosed) return;
    if (isWatching) {
      const isUp = application.isRunning && !application.isHung;
      onResult(RESOURCE, { status: isUp ? "up" : "down", detail: "looked" });
    }
    machine.after(life, "main", "routine", LOOK_MS, look);
  };
  machine.after(life, "main", "routine", LOOK_MS, look);
  const watch = (isOn: boolean): void => {
    if (isWatching && !isOn) onResult(RESOURCE, null);
    isWatching = isOn;
  };
  return {
    settledIn: (state: ModuleState) => watch(isServing(state)),
    moving: () => watch(false),
    restarting: () => watch(false),
    setClass: () => undefined,
    stop: () => {
      isClosed = true;
    },
  };
}
