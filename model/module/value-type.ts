import { err, ok, type Result } from "../shared/result.ts";
import { parseAddress, parseIpv4 } from "./address.ts";
import { parseRelativePath, parseReplicatedDirectory } from "./directory.ts";

/** How a value is written. `parse` gives the end of a sentence that begins with the value. */
export type ValueType<T> = {
  /** For the documentation, e.g. `duration, a bare number is in seconds`. */
  readonly description: string;
  parse(text: string): Result<T, string>;
  /** The shortest text that `parse` reads back as the same value. */
  format(value: T): string;
  /** Stands for a value that only a node can know: a macro from its environment, as written. */
  placeholder(text: string): T;
  /** Where a value is one of a few words: what "did you mean" chooses from. */
  readonly words?: readonly string[];
  /** For the tests: a value that is good, and one that is not (null: every text is). */
  readonly examples: { readonly good: string; readonly bad: string | null };
};

const textual = (
  description: string,
  parse: (text: string) => Result<string, string>,
  examples: ValueType<string>["examples"],
): ValueType<string> => ({
  description,
  parse,
  format: (value) => value,
  placeholder: (text) => text,
  examples,
});

const matching = (
  description: string,
  pattern: RegExp,
  complaint: string,
  examples: ValueType<string>["examples"],
): ValueType<string> =>
  textual(description, (text) => (pattern.test(text) ? ok(text) : err(complaint)), examples);

/** Any text without control characters, at most 4096 characters. */
export const TEXT = matching(
  "text",
  /^\P{Cc}{0,4096}$/u,
  "has a control character, or more than 4096 characters",
  { good: "some text", bad: "\u0007" },
);
/** A name that stands in resource names and rules. */
export const NAME = matching(
  "name",
  /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$/u,
  "is not a name: letters, digits and _ . : - (at most 128)",
  { good: "name_1", bad: "no name" },
);
/** What the shell and execve(2) accept as the name of an environment variable. */
export const VARIABLE_NAME = matching(
  "variable name",
  /^[A-Za-z_][A-Za-z0-9_]{0,127}$/u,
  "is not the name of an environment variable: letters, digits and _",
  { good: "A_VARIABLE", bad: "1=2" },
);
/** A macro's name is free, but a percent sign would end it. */
export const MACRO_NAME = matching("macro name", /^[^%\p{Cc}]{1,128}$/u, "is not a macro's name", {
  good: "MACRO 1",
  bad: "100%",
});
/** netdevice(7): IFNAMSIZ is 16 with the closing zero byte. */
export const INTERFACE_NAME = matching(
  "network interface name",
  /^(?!\.{1,2}$)[A-Za-z0-9_.@-]{1,15}$/u,
  "is not the name of a network interface (at most 15 characters, no space, no /)",
  { good: "eth0", bad: "eth0/1" },
);
/** Six bytes in hexadecimal. */
export const MAC = matching(
  "MAC address",
  /^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/u,
  "is not a MAC address such as 5A:FE:C0:00:02:32",
  { good: "5A:FE:C0:00:02:32", bad: "5A:FE" },
);
/** An executable in the module's `bin/`, or an absolute path. Never handed to a shell. */
export const EXECUTABLE = textual(
  "executable: a file of the module's bin/, or an absolute path",
  (text) => {
    const parts = text.replace(/^\//u, "").split("/");
    const isPlain = parts.every((part) => /^(?!\.{1,2}$)[A-Za-z0-9._+-]{1,255}$/u.test(part));
    return isPlain ? ok(text) : err("is not an executable: a path of letters, digits and . _ + -");
  },
  { good: "my_checker.sh", bad: "../sh -c 'x'" },
);
/** Addresses and names. The form is judged here; what it may be used for, by the element. */
export const ADDRESS = textual(
  "IPv4 address, IPv6 address or DNS name",
  (text) => {
    const address = parseAddress(text);
    return address.ok ? ok(address.value.text) : address;
  },
  { good: "192.0.2.10", bad: "0x7f.1" },
);
/** The same, with IPv6 written in brackets as `cluster.xml` wants it. */
export const BRACKETED_ADDRESS: ValueType<string> = {
  ...ADDRESS,
  format: (value) => (value.includes(":") ? `[${value}]` : value),
};
/** A contiguous IPv4 netmask. */
export const NETMASK = textual(
  "IPv4 netmask",
  (text) => {
    const bits = parseIpv4(text)?.map((byte) => byte.toString(2).padStart(8, "0"));
    const isMask = bits !== undefined && /^1+0*$/u.test(bits.join(""));
    return isMask ? ok(text) : err("is not a netmask such as 255.255.255.0");
  },
  { good: "255.255.255.0", bad: "255.0.255.0" },
);
export const DIRECTORY = textual("absolute directory", parseReplicatedDirectory, {
  good: "/srv/data",
  bad: "/proc/1",
});
export const RELATIVE_PATH = textual("relative path", parseRelativePath, {
  good: "a/b",
  bad: "../b",
});
/** POSIX extended regex. Whoever uses it bounds the time it may take. */
export const REGEX = textual(
  "POSIX extended regex",
  (text) => {
    if (text === "" || text.length > 512) return err("is empty or longer than 512 characters");
    if (/[<>\p{Cc}]/u.test(text)) return err("has a character that a regex cannot have here");
    return isBalanced(text) ? ok(text) : err("has a bracket or parenthesis without its other half");
  },
  { good: "^(a|b)[0-9]+$", bad: "(a" },
);

function isBalanced(pattern: string): boolean {
  let depth = 0;
  // In a bracket expression a ] that comes first (after ^) stands for itself: regex(7).
  const outside = pattern.replace(/\\./gu, "").replace(/\[\^?\]?[^\]]*\]/gu, "");
  for (const character of outside) {
    if (character === "[") return false;
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** `on` or `off`. */
export const ON_OFF = flag("on", "off");
/** `yes` or `no`. */
export const YES_NO = flag("yes", "no");

function flag(yes: string, no: string): ValueType<boolean> {
  return {
    description: `${yes} or ${no}`,
    words: [yes, no],
    parse(text) {
      if (text === yes) return ok(true);
      return text === no ? ok(false) : err(`is neither ${yes} nor ${no}`);
    },
    format: (value) => (value ? yes : no),
    placeholder: () => false,
    examples: { good: yes, bad: "maybe" },
  };
}

/** One of a few words. */
export function oneOf<const W extends string>(first: W, ...rest: W[]): ValueType<W> {
  const words = [first, ...rest];
  return {
    description: words.join(", "),
    words,
    parse(text) {
      const word = words.find((known) => known === text);
      return word === undefined ? err(`is not one of ${words.join(", ")}`) : ok(word);
    },
    format: (value) => value,
    placeholder: () => first,
    examples: { good: first, bad: "no-such-word" },
  };
}
/** Plain decimal digits: no sign but a leading minus, no exponent, no hexadecimal, ASCII only. */
export function integer(min: number, max: number): ValueType<number> {
  const range = `a whole number from ${min} to ${max}`;
  return {
    description: range,
    parse(text) {
      if (!/^(0|-?[1-9][0-9]{0,14})$/u.test(text)) return err(`is not ${range}`);
      const value = Number(text);
      return value >= min && value <= max ? ok(value) : err(`is not ${range}`);
    },
    format: String,
    placeholder: () => min,
    examples: { good: String(min), bad: "0x10" },
  };
}
/** A TCP or UDP port. */
export const PORT: ValueType<number> = {
  ...integer(1, 65_535),
  description: "port, 1 to 65535",
  placeholder: () => 0,
  examples: { good: "8080", bad: "65536" },
};
/** Bits, decimal or as `0x…`: only where the reference itself writes them so. */
export const BITS: ValueType<number> = {
  description: "bits, decimal or 0x…",
  parse(text) {
    const isHexadecimal = /^0x[0-9A-Fa-f]{1,8}$/u.test(text);
    return isHexadecimal
      ? ok(Number.parseInt(text.slice(2), 16))
      : integer(0, 2 ** 32 - 1).parse(text);
  },
  format: (value) => `0x${value.toString(16)}`,
  placeholder: () => 0,
  examples: { good: "0x10", bad: "16.5" },
};
/** A size in a stated unit, in bytes once read. */
export function size(
  unit: "B" | "KB" | "KB/s" | "GB",
  min: number,
  max: number,
): ValueType<number> {
  const factor = { B: 1, KB: 1024, "KB/s": 1024, GB: 1024 ** 3 }[unit];
  const count = integer(min, max);
  return {
    ...count,
    description: `${unit}, ${min} to ${max}`,
    parse(text) {
      const parsed = count.parse(text);
      return parsed.ok ? ok(parsed.value * factor) : parsed;
    },
    format: (value) => String(value / factor),
    examples: { good: String(max), bad: "1e309" },
  };
}

/** Microseconds of each suffix. */
const UNITS = { d: 86_400e6, h: 3_600e6, m: 60e6, s: 1e6, ms: 1e3, us: 1 } as const;
/** The unit of a bare number. */
export type DurationUnit = keyof typeof UNITS;
const UNIT_NAMES = {
  d: "days",
  h: "hours",
  m: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
} as const;
/** Ten years: enough for every use, and far from where numbers lose their precision. */
const DURATION_MS_MAX = 3_650 * 86_400_000;

/**
 * A duration, in milliseconds once read. A bare number is in `unit`. What is smaller than one unit
 * and not zero is an error, because it would be rounded to nothing: `500ms` where seconds are
 * meant is a mistake.
 */
export function duration(unit: DurationUnit): ValueType<number> {
  return {
    description: `duration (d h m s ms us), a bare number is in ${UNIT_NAMES[unit]}`,
    parse(text) {
      const [, digits, suffix] = /^([0-9]{1,15})(d|h|m|s|ms|us)?$/u.exec(text) ?? [];
      if (digits === undefined) return err("is not a duration such as 10s or 500ms");
      const microseconds = Number(digits) * UNITS[isUnit(suffix) ? suffix : unit];
      if (microseconds > 0 && microseconds < UNITS[unit]) {
        return err(`is less than one of its unit (${unit}) and would be rounded to 0`);
      }
      const milliseconds = Math.round(microseconds / 1000);
      return milliseconds <= DURATION_MS_MAX ? ok(milliseconds) : err("is longer than ten years");
    },
    format: formatDuration,
    placeholder: () => 0,
    examples: { good: `7${unit}`, bad: "-1" },
  };
}

const isUnit = (text: string | undefined): text is DurationUnit =>
  text !== undefined && Object.hasOwn(UNITS, text);

function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = (milliseconds * 1000) / UNITS[unit];
    if (Number.isInteger(count)) return `${count}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** `*` for any, which is read as null. */
export function wildcard<T>(type: ValueType<T>): ValueType<T | null> {
  return {
    description: `${type.description}, or *`,
    parse: (text) => (text === "*" ? ok(null) : type.parse(text)),
    format: (value) => (value === null ? "*" : type.format(value)),
    placeholder: () => null,
    examples: type.examples,
  };
}
