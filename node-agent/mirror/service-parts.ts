import type { ModuleConfig } from "#model/module/config.ts";
import type { ModuleId, NodeId, UnixMs } from "#model/shared/ids.ts";
import { systemTimers } from "../adapters/timers.ts";
import { CheckerSet } from "../checkers/checker-set.ts";
import { snapshotProcesses } from "../checkers/process-watch.ts";
import type { Containment } from "../modules/containment.ts";
import { ModuleFence, unitsOf } from "../modules/fence.ts";
import { type ModuleDirectories, scriptEnvironment } from "../modules/script-environment.ts";
import { ModuleScripts } from "../modules/script-runner.ts";
import { openSystemd } from "../modules/systemd-units.ts";
import { VirtualAddress, virtualAddressPlans } from "../vip/virtual-address.ts";
import { Checks } from "./checks.ts";
import type { ServiceParts } from "./service.ts";

export type MachineParts = {
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly config: ModuleConfig;
  readonly directories: ModuleDirectories;
  readonly containment: Containment;
  /** Mount points of the replicated trees: whoever uses them is part of the module. */
  readonly mountPoints: readonly string[];
  /** Never stopped by the fence: the agent's own processes. */
  sparedProcessIds(): readonly number[];
  nowUnixMs(): UnixMs;
};

/** A module's programs, fence, addresses and checkers on this machine. */
export function machineParts(options: MachineParts): ServiceParts {
  const { moduleId, config, containment, directories, mountPoints, nowUnixMs } = options;
  const vars = config.user?.vars ?? [];
  const systemd = openSystemd();
  const scripts = new ModuleScripts({
    user: config.user,
    binDirectory: directories.bin,
    logDirectory: directories.userVar,
    environment: scriptEnvironment(moduleId, options.nodeId, directories, vars),
    containment,
  });
  return {
    scripts,
    fence: new ModuleFence({
      containment,
      mountPoints: () => mountPoints,
      units: unitsOf(config),
      systemd,
      sparedProcessIds: options.sparedProcessIds,
    }),
    addresses: virtualAddressPlans(config).map((plan) => new VirtualAddress(plan)),
    newChecks: (reactions) =>
      new Checks({
        ...{ config, nowUnixMs, timers: systemTimers, ...reactions },
        newSet: (onResult) =>
          new CheckerSet({
            ...{ config, moduleId, scripts, systemd, onResult },
            // The module's own processes: on a machine with two agents another's are none of ours.
            processes: () => snapshotProcesses(containment.processIds()),
          }),
      }),
  };
}
