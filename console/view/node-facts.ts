/** A node's figures as words. Pure. */
import type { HeartbeatLink } from "#model/contract/report.ts";
import { durationText } from "./format.ts";

/** `node2 on default: 0.4 ms, no loss`. */
export function linkText({
  peer,
  network,
  up,
  roundTripMs,
  lossRatio,
  lastHeardMs,
}: HeartbeatLink) {
  const where = `${peer} on ${network}`;
  if (!up) {
    return `${where}: silent${lastHeardMs === null ? "" : ` for ${durationText(lastHeardMs)}`}`;
  }
  const roundTrip = roundTripMs === null ? "" : `${roundTripMs.toFixed(1)} ms, `;
  const loss = lossRatio < 0.001 ? "no loss" : `${(100 * lossRatio).toFixed(1)} % lost`;
  return `${where}: ${roundTrip}${loss}`;
}

/** Certificates renew themselves at half life, so a person reads how long is left. */
export function certificateText(endsAtMs: number, nowMs: number): string {
  const leftMs = endsAtMs - nowMs;
  return leftMs <= 0 ? "has ended" : `ends in ${durationText(leftMs)}`;
}
