import type { UnixMs } from "./ids.ts";

const DAY_MS = 86_400_000;
const two = (n: number): string => `${n}`.padStart(2, "0");

/** `2026-11-29 14:05:07 UTC`. Without `Date`, as the model reads no clock, not even by accident. */
export function utcText(atMs: UnixMs): string {
  const days = Math.floor(atMs / DAY_MS);
  const seconds = Math.floor((atMs - days * DAY_MS) / 1000);
  const [hour, minute, second] = [seconds / 3600, (seconds / 60) % 60, seconds % 60];
  const time = [hour, minute, second].map((part) => two(Math.floor(part))).join(":");
  return `${dateText(days)} ${time} UTC`;
}

/** Days since 1970 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function dateText(days: number): string {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524);
  const yearOfEra = Math.floor((dayOfEra - leapDays + Math.floor(dayOfEra / 146_096)) / 365);
  const yearDays = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - yearDays;
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${year}-${two(month)}-${two(day)}`;
}
