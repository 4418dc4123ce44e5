/** A failover as the control plane describes it: node2 died, node1 took over in 2.14 s. */
import type { FailoverPicture } from "#model/contract/failover.ts";
import { NOW_MS } from "./scenarios.ts";

const START_MS = NOW_MS - 600_000;
const at = (ms: number): number => START_MS + ms;
const mark = (
  ms: number,
  node: string | null,
  kind: string,
  text: string,
): FailoverPicture["marks"][number] => ({
  atMs: at(ms),
  offsetMs: ms,
  offsetErrMs: node === null ? 0 : 3,
  node,
  kind,
  text,
});

export const FAILOVER: FailoverPicture = {
  id: "shop-41",
  module: "shop",
  kind: "failover",
  fromNode: "node2",
  toNode: "node1",
  epochBefore: 40,
  epochAfter: 41,
  trigger: { kind: "heartbeatLost", reason: "no heartbeat of node2 on default" },
  startedAtMs: START_MS,
  serviceDownMs: 2_140,
  writesAtRisk: 0,
  phases: [
    { kind: "detect", fromMs: at(0), toMs: at(1_400) },
    { kind: "decide", fromMs: at(1_400), toMs: at(1_520) },
    { kind: "start", fromMs: at(1_520), toMs: at(2_140) },
  ],
  marks: [
    mark(0, "node1", "heartbeatLost", "last heartbeat of node2 on default"),
    mark(1_400, "node1", "peerLost", "node2 is judged lost"),
    mark(1_410, "node1", "promotionAsked", "node1 asks the witness to lead"),
    mark(1_520, null, "epochChanged", "epoch 41 begins: node1 leads"),
    mark(1_560, "node1", "addressMoved", "10.0.0.50 is on eth0, neighbours told"),
    mark(1_570, "node1", "scriptStarted", "start_prim begins"),
    mark(2_140, "node1", "serviceUp", "tcp.shop answers"),
  ],
  lanes: [
    {
      id: "node2",
      spans: [
        { fromMs: at(0), toMs: at(1_400), state: "PRIM", tone: "good" },
        { fromMs: at(1_400), toMs: at(2_140), state: "unreachable", tone: "bad" },
      ],
    },
    {
      id: "node1",
      spans: [
        { fromMs: at(0), toMs: at(1_520), state: "SECOND", tone: "good" },
        { fromMs: at(1_520), toMs: at(2_140), state: "ALONE", tone: "busy" },
        { fromMs: at(2_140), toMs: at(2_140), state: "ALONE", tone: "warning" },
      ],
    },
    {
      id: "service",
      spans: [
        { fromMs: at(0), toMs: at(2_140), state: "down", tone: "bad" },
        { fromMs: at(2_140), toMs: at(2_140), state: "up", tone: "good" },
      ],
    },
    {
      id: "address",
      spans: [
        { fromMs: at(0), toMs: at(1_560), state: "node2", tone: "idle" },
        { fromMs: at(1_560), toMs: at(2_140), state: "node1", tone: "busy" },
      ],
    },
    {
      id: "witness",
      spans: [
        { fromMs: at(0), toMs: at(1_520), state: "epoch 40", tone: "idle" },
        { fromMs: at(1_520), toMs: at(2_140), state: "epoch 41", tone: "good" },
      ],
    },
  ],
};
