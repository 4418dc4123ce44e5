import { err, ok, type Result } from "../shared/result.ts";

/** An address as written, judged. `text` is the canonical form: no brackets, IPv6 in lower case. */
export type Address = {
  readonly kind: "ipv4" | "ipv6" | "name";
  readonly text: string;
  /** Four or sixteen bytes; empty for a name. */
  readonly bytes: readonly number[];
};

/**
 * Reads an IPv4 address, an IPv6 address (bare or in brackets) or a DNS name. Only four plain
 * decimal numbers are IPv4: `0x7f.1`, `127.1` and `010.0.0.1` mean loopback or something else to
 * some C libraries (inet_aton(3)) and are refused by everybody here.
 */
export function parseAddress(text: string): Result<Address, string> {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== null) return ok({ kind: "ipv4", text, bytes: ipv4 });
  const bare = /^\[(.*)\]$/u.exec(text)?.[1] ?? text;
  if (bare.includes(":")) {
    const bytes = parseIpv6(bare);
    if (bytes === null) return err("is not an IPv6 address");
    return ok({ kind: "ipv6", text: bare.toLowerCase(), bytes });
  }
  if (text.length > 253 || !NAME.test(text)) return err("is not an IP address or a DNS name");
  // A last label of digits, or one in hexadecimal, is an IPv4 address to some and a name to others.
  const lastLabel = text.split(".").at(-1) ?? "";
  if (/^([0-9]+|0[xX].*)$/u.test(lastLabel)) {
    return err("is not an IPv4 address: four numbers from 0 to 255 without leading zeros");
  }
  return ok({ kind: "name", text: text.toLowerCase(), bytes: [] });
}

/** RFC 1123 section 2.1 labels; an underscore is tolerated inside, as many Windows names have one. */
const LABEL = "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?";
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`, "u");

/** Four numbers, or null. */
export function parseIpv4(text: string): readonly number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  if (!parts.every((part) => /^(0|[1-9][0-9]{0,2})$/u.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** Sixteen numbers, or null. RFC 4291 section 2.2; no zone index. */
export function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] ?? "");
  const tail = groupsOf(halves[1] ?? "");
  if (head === null || tail === null) return null;
  if (halves.length === 1) return head.length === 16 ? head : null;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group, so that every address has one reading.
  if (missing < 2) return null;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function groupsOf(text: string): readonly number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    const ipv4 = index === groups.length - 1 ? parseIpv4(group) : null;
    if (ipv4 !== null) bytes.push(...ipv4);
    else if (!/^[0-9A-Fa-f]{1,4}$/u.test(group)) return null;
    else bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff);
  }
  return bytes;
}

/**
 * Why an address can never be a virtual address, or null. A cloud's metadata service
 * (169.254.169.254) lives in the link-local block: a machine that takes that address answers its
 * neighbours' requests for credentials.
 */
export function whyNotVirtual(
  address: Address,
  options: { allowLoopback: boolean },
): string | null {
  if (address.kind === "name") return null;
  const bytes = address.kind === "ipv4" ? address.bytes : mappedIpv4(address.bytes);
  return bytes === null
    ? whyNotVirtualIpv6(address.bytes, options.allowLoopback)
    : whyNotVirtualIpv4(bytes, options.allowLoopback);
}

/** Blocks of RFC 6890. */
function whyNotVirtualIpv4(bytes: readonly number[], allowLoopback: boolean): string | null {
  const [first = 0, second = 0] = bytes;
  if (first === 0) return "is of the block 0.0.0.0/8, which no machine can have";
  if (first === 127 && !allowLoopback)
    return "is a loopback address, which only its own machine sees";
  if (first === 169 && second === 254) return "is link-local, the block of the metadata service";
  if (first >= 224 && first < 240) return "is a multicast address";
  if (first >= 240) return "is of the reserved block 240.0.0.0/4";
  return null;
}

function whyNotVirtualIpv6(bytes: readonly number[], allowLoopback: boolean): string | null {
  const [first = 0, second = 0] = bytes;
  const allButLastAreZero = bytes.slice(0, 15).every((byte) => byte === 0);
  if (allButLastAreZero && bytes[15] === 0) return "is the unspecified address";
  if (allButLastAreZero && bytes[15] === 1 && !allowLoopback) return "is the loopback address";
  if (first === 0xfe && (second & 0xc0) === 0x80) return "is link-local";
  if (first === 0xff) return "is a multicast address";
  return null;
}

/** `::ffff:a.b.c.d` reaches the IPv4 address, so it is judged as one (RFC 4291 section 2.5.5.2). */
function mappedIpv4(bytes: readonly number[]): readonly number[] | null {
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0);
  return isMapped && bytes[10] === 0xff && bytes[11] === 0xff ? bytes.slice(12) : null;
}
