import type { ReplicationTraffic } from "#model/contract/report.ts";
import {
  countsSince,
  LATENCY_BOUNDS_MS,
  type LatencyCounts,
  quantileMs,
  totalOf,
} from "#model/replication/latency-histogram.ts";
import type { BootMs } from "#model/shared/ids.ts";
import type { EngineMetrics } from "../replication/engine.ts";

type Sample = { readonly atMs: BootMs; readonly metrics: EngineMetrics };

/** Two readings closer together would make large figures of chance. */
const INTERVAL_MS_MIN = 200;

/** Makes rates of an engine's counters: of what happened between one reading and the next. */
export class TrafficMeter {
  #before: Sample | null = null;
  #last: ReplicationTraffic | null = null;

  /** Null until there are two readings of one engine. */
  read(metrics: EngineMetrics, atMs: BootMs): ReplicationTraffic | null {
    const before = this.#before;
    // Another engine counts from nothing.
    if (before === null || metrics.operationsSubmitted < before.metrics.operationsSubmitted) {
      this.#before = { atMs, metrics };
      this.#last = null;
      return null;
    }
    const intervalMs = Math.round(atMs - before.atMs);
    if (intervalMs < INTERVAL_MS_MIN) return this.#last;
    this.#before = { atMs, metrics };
    const perSecond = (of: (counters: EngineMetrics) => number): number =>
      Math.round(((of(metrics) - of(before.metrics)) * 10_000) / intervalMs) / 10;
    this.#last = {
      intervalMs,
      operationsPerSecond: perSecond(({ operationsSubmitted }) => operationsSubmitted),
      bytesPerSecond: perSecond(({ bytesSubmitted }) => bytesSubmitted),
      acknowledgement: acknowledgementOf(countsSince(metrics.latencies, before.metrics.latencies)),
    };
    return this.#last;
  }
}

function acknowledgementOf(counts: LatencyCounts): ReplicationTraffic["acknowledgement"] {
  const count = totalOf(counts);
  if (count === 0) return null;
  const bound = (share: number): number | null => {
    const ms = quantileMs(counts, share);
    return ms === null || !Number.isFinite(ms) ? null : ms;
  };
  const buckets = counts
    .map((inIt, index) => ({ upToMs: LATENCY_BOUNDS_MS[index] ?? null, count: inIt }))
    .filter((bucket) => bucket.count > 0);
  return { count, medianMs: bound(0.5), p99Ms: bound(0.99), buckets };
}
