import type { InterfaceConfig, ModuleConfig, VirtualAddress } from "./config.ts";

/** One virtual address with what its surroundings say about it. */
export type VirtualAddressInContext = VirtualAddress & {
  readonly tcpReset: boolean;
  readonly interface: InterfaceConfig;
};

/** Every virtual address of a module, in the order of its file. */
export function virtualAddressesOf(config: ModuleConfig): readonly VirtualAddressInContext[] {
  const { vip } = config;
  if (vip === null) return [];
  return vip.interfaces.flatMap((face) =>
    face.addresses.map((address) => ({ ...address, tcpReset: vip.tcpReset, interface: face })),
  );
}
