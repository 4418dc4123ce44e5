/** Which checkers a module has, and in which of its states each of them runs. */
import type { CheckConfig, CheckWhen, ModuleConfig } from "../module/config.ts";
import { virtualAddressesOf } from "../module/vips.ts";
import { isRunning, type ModuleState, rolesOf } from "../states/lifecycle.ts";

/** Declared checkers, and those that `<vip>` asks for with its `check` attributes. */
export function checksOf(config: ModuleConfig): readonly CheckConfig[] {
  const vips = virtualAddressesOf(config);
  const interfaces = vips
    .filter((vip) => vip.interface.check)
    .map((vip): CheckConfig => {
      const common = { ident: vip.addr, when: "pre", action: "wait" } as const;
      return { ...common, kind: "intf", localAddr: vip.addr };
    });
  const when: CheckWhen = config.mode === "mirror" ? "prim" : "both";
  const addresses = vips
    .filter((vip) => vip.check)
    .map((vip): CheckConfig => {
      const common = { ident: vip.addr, when, action: "stopstart", addr: vip.addr } as const;
      return { ...common, kind: "ip", intervalMs: 10_000 };
    });
  return [...config.checks, ...interfaces, ...addresses];
}

/**
 * Does a watch of this class run? `pre` does from after prestart until before poststop; a role's
 * watch between its start and its stop script. Any other word is a class of the module's author,
 * which a command enables.
 */
export function isActive(
  watchClass: string,
  state: ModuleState,
  enabledClasses: readonly string[] = [],
): boolean {
  if (watchClass === "pre") return state !== "STOP";
  const role = rolesOf(state).find((name) => name === watchClass);
  if (role !== undefined) return true;
  return isRunning(state) && enabledClasses.includes(watchClass);
}
