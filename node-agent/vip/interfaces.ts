import { isIPv4, isIPv6 } from "node:net";

/** The part of `os.networkInterfaces()` that is needed: interfaces that are up, with addresses. */
export type NetworkView = {
  readonly [name: string]:
    | readonly { readonly address: string; readonly netmask: string; readonly mac: string }[]
    | undefined;
};

/**
 * The interface whose subnet holds `address`; the narrowest subnet wins. null when none does. Host
 * routes (/32, /128) do not count: a virtual address that is already there would find itself.
 */
export function interfaceOfSubnet(address: string, view: NetworkView): string | null {
  const wanted = addressBits(address);
  if (wanted === null) return null;
  let found: { readonly name: string; readonly length: number } | null = null;
  for (const [name, entries] of Object.entries(view)) {
    for (const entry of entries ?? []) {
      const bits = addressBits(entry.address);
      const length = prefixLength(entry.netmask);
      if (bits === null || length === null || bits.length !== wanted.length) continue;
      if (length === bits.length || bits.slice(0, length) !== wanted.slice(0, length)) continue;
      if (found === null || length > found.length) found = { name, length };
    }
  }
  return found?.name ?? null;
}

/** The hardware address of an interface; null when it is not up or has none (loopback). */
export function hardwareAddress(name: string, view: NetworkView): Uint8Array | null {
  const mac = view[name]?.[0]?.mac;
  if (mac === undefined || mac === "00:00:00:00:00:00") return null;
  return Uint8Array.from(mac.split(":").map((byte) => Number.parseInt(byte, 16)));
}

/** Leading one bits of a netmask; null when it is none (`255.0.255.0`). */
export function prefixLength(netmask: string): number | null {
  const bits = addressBits(netmask);
  return bits !== null && /^1*0*$/.test(bits) ? bits.replaceAll("0", "").length : null;
}

/** The bytes of a numeric address, 4 or 16; null for a name. */
export function addressBytes(address: string): Uint8Array | null {
  if (isIPv4(address)) return Uint8Array.from(address.split(".").map(Number));
  if (!isIPv6(address) || address.includes("%") || address.includes(".")) return null;
  const [left = "", right = ""] = address.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(left), groups(right)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const words = [...before, ...zeros, ...after].map((word) => Number.parseInt(word, 16));
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

function addressBits(address: string): string | null {
  const bytes = addressBytes(address);
  if (bytes === null) return null;
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
}
