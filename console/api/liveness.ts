/** How fresh what is shown is, in words. Pure. */
import type { ApiProblem } from "./client.ts";

/** How the feed is connected. */
export interface FeedLink {
  readonly kind: "connecting" | "streaming" | "polling" | "broken";
  /** When the last byte came, on the browser's clock; null before the first. */
  readonly heardAtMs: number | null;
  readonly problem: ApiProblem | null;
}

export interface Liveness {
  readonly kind: "connecting" | "live" | "polling" | "reconnecting" | "stale";
  readonly text: string;
  /** When what is shown was true at the latest; null while nothing is shown. */
  readonly asOfMs: number | null;
}

/** The control plane says something every 15 s at least; longer silence means a dead line. */
export const SILENCE_MS_MAX = 25_000;
/** After this long without a word, a state is no longer shown as the current one. */
export const STALE_MS = 60_000;
/** How often the state is asked for while a stream cannot be had. */
export const POLL_MS = 5_000;

/** `clock` writes a time of day. */
export function livenessOf(
  link: FeedLink,
  nowMs: number,
  clock: (atMs: number) => string,
): Liveness {
  const { heardAtMs: asOfMs } = link;
  if (asOfMs === null) return { kind: "connecting", text: "Connecting…", asOfMs };
  const silentMs = Math.max(0, nowMs - asOfMs);
  if (silentMs >= STALE_MS) return { kind: "stale", text: `Stale since ${clock(asOfMs)}`, asOfMs };
  if (link.kind === "broken" || silentMs >= SILENCE_MS_MAX) {
    const text = `Reconnecting… ${Math.floor(silentMs / 1000)} s`;
    return { kind: "reconnecting", text, asOfMs };
  }
  if (link.kind === "polling") {
    return { kind: "polling", text: `Polling every ${POLL_MS / 1000} s`, asOfMs };
  }
  return { kind: "live", text: "Live", asOfMs };
}
