/** Times, sizes and counts as people read them. Pure; the time zone is the reader's. */

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** A time of day: `17:46:02`. */
export const clockText = (atMs: number): string => CLOCK.format(atMs);
/** A day and a time of day. */
export const momentText = (atMs: number): string => MOMENT.format(atMs);

/** How long something lasts: `850 ms`, `6.2 s`, `3 min`, `5 h`, `2 d`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 60) return `${Math.floor(minutes)} min`;
  const hours = minutes / 60;
  const rest = Math.floor(minutes % 60);
  if (hours < 10 && rest > 0) return `${Math.floor(hours)} h ${rest} min`;
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} d`;
}

/** How long ago something was; clocks that disagree a little do not make a future of it. */
export function ageText(atMs: number, nowMs: number): string {
  return nowMs - atMs < 1_000 ? "now" : `${lastingText(atMs, nowMs)} ago`;
}

/** How long something lasts already, in whole seconds at the finest. */
export function lastingText(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1_000));
  return seconds < 60 ? `${seconds} s` : durationText(seconds * 1_000);
}

const DAY_MS = 86_400_000;
/** A time of day, with its day when that was not lately. */
export const eventTimeText = (atMs: number, nowMs: number): string =>
  nowMs - atMs < DAY_MS / 2 ? clockText(atMs) : DAY_AND_CLOCK.format(atMs);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
/** A size in powers of 1024. */
export function bytesText(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** Seconds on a failover's axis: `+3.40 s`. */
export const offsetText = (ms: number): string =>
  `${ms < 0 ? "−" : "+"}${(Math.abs(ms) / 1_000).toFixed(2)} s`;

/** `a`, `a and b`, `a, b and c`. */
export function listText(items: readonly string[]): string {
  if (items.length <= 1) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
