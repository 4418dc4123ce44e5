import { expect, test } from "vitest";
import { LatencyHistogram } from "#model/replication/latency-histogram.ts";
import type { EngineMetrics } from "../replication/engine.ts";
import { TrafficMeter } from "./replication-traffic.ts";

const NONE: EngineMetrics = {
  ...{ operationsSubmitted: 0, bytesSubmitted: 0, bytesUnacknowledged: 0, changesAlone: 0 },
  ...{ bytesAlone: 0, operationsApplied: 0, bytesSent: 0, bytesReceived: 0, latencies: [] },
  ...{ operationsUnacknowledged: 0, oldestUnacknowledgedMs: 0, repliesHeld: 0, requestsPending: 0 },
};

test("rates are of what happened between two readings", () => {
  const meter = new TrafficMeter();
  const latencies = new LatencyHistogram();
  const read = (parts: Partial<EngineMetrics>, atMs: number) =>
    meter.read({ ...NONE, latencies: latencies.counts, ...parts }, atMs);
  latencies.add(5000);
  expect(read({ operationsSubmitted: 100, bytesSubmitted: 1000 }, 1000)).toBeNull();
  for (let n = 0; n < 99; n += 1) latencies.add(0.2);
  latencies.add(30);
  expect(read({ operationsSubmitted: 300, bytesSubmitted: 9000 }, 3000)).toEqual({
    intervalMs: 2000,
    operationsPerSecond: 100,
    bytesPerSecond: 4000,
    acknowledgement: {
      ...{ count: 100, medianMs: 0.25, p99Ms: 0.25 },
      buckets: [
        { upToMs: 0.25, count: 99 },
        { upToMs: 32, count: 1 },
      ],
    },
  });
  expect(read({ operationsSubmitted: 300, bytesSubmitted: 9000 }, 4000)).toMatchObject({
    operationsPerSecond: 0,
    acknowledgement: null,
  });
});

test("two readings in one moment say the same, and a new engine begins anew", () => {
  const meter = new TrafficMeter();
  const read = (operationsSubmitted: number, atMs: number) =>
    meter.read({ ...NONE, operationsSubmitted }, atMs);
  read(0, 0);
  const said = read(10, 1000);
  expect(said?.operationsPerSecond).toBe(10);
  expect(read(11, 1001)).toBe(said);
  expect(read(3, 2000)).toBeNull();
  expect(read(5, 3000)?.operationsPerSecond).toBe(2);
});

test("an answer beyond the last bound has no figure, and is counted", () => {
  const meter = new TrafficMeter();
  meter.read({ ...NONE, latencies: [0] }, 0);
  const latencies = new LatencyHistogram();
  latencies.add(60_000);
  const said = meter.read({ ...NONE, latencies: latencies.counts }, 1000)?.acknowledgement;
  expect(said).toEqual({
    ...{ count: 1, medianMs: null, p99Ms: null },
    buckets: [{ upToMs: null, count: 1 }],
  });
});
