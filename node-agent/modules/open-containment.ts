import { type CgroupFiles, openCgroup, ownCgroupDirectory } from "./cgroup.ts";
import type { Containment } from "./containment.ts";
import { openMarkedProcesses } from "./marked-processes.ts";

/**
 * The best containment that this machine allows. `instance` names the node, so that several agents
 * on one kernel (a playground, a lab) never see each other's processes.
 */
export function openContainment(
  files: CgroupFiles,
  instance: string,
  moduleId: string,
): Containment {
  const base = ownCgroupDirectory(files);
  if (base === null) {
    return openMarkedProcesses(instance, moduleId, "no cgroup v2 hierarchy is mounted");
  }
  const opened = openCgroup(base, instance, moduleId);
  return opened.ok ? opened.value : openMarkedProcesses(instance, moduleId, opened.error);
}
