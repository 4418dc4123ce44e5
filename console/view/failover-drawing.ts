/**
 * The failover picture as rectangles and marks on a line of time, before anyone draws it. Pure.
 * Times come from several clocks; each mark knows how wrong it may be.
 */
import type { FailoverPicture } from "#model/contract/failover.ts";
import { durationText } from "./format.ts";

export type FailoverTone = FailoverPicture["lanes"][number]["spans"][number]["tone"];

export interface DrawnSpan {
  /** 0..1 of the axis. */
  readonly from: number;
  readonly to: number;
  readonly state: string;
  readonly tone: FailoverTone;
}
export interface DrawnMark {
  /** As in the list below the picture, from 1. */
  readonly number: number;
  readonly at: number;
  /** Marks close to each other stand in rows, so that each number can be read. */
  readonly row: number;
}
export interface FailoverDrawing {
  readonly lanes: readonly { readonly id: string; readonly spans: readonly DrawnSpan[] }[];
  readonly marks: readonly DrawnMark[];
  readonly rows: number;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  readonly title: string;
}

const MARKS_DRAWN_MAX = 24;
const ROWS_MAX = 4;
/** Two numbers nearer than this (of the axis) would overlap. */
const MARK_WIDTH = 0.045;

/** Lays the picture out. */
export function drawFailover(picture: FailoverPicture): FailoverDrawing {
  const { startedAtMs } = picture;
  const ends = [
    ...picture.phases.map((phase) => phase.toMs),
    ...picture.lanes.flatMap((lane) => lane.spans.map((span) => span.toMs)),
    ...picture.marks.map((mark) => mark.atMs),
  ];
  const lengthMs = Math.max(100, Math.max(startedAtMs, ...ends) - startedAtMs);
  // A little room at the end, so that what became of it is seen.
  const axisMs = lengthMs * 1.12;
  const place = (atMs: number) => Math.min(1, Math.max(0, (atMs - startedAtMs) / axisMs));
  const lanes = picture.lanes.map(({ id, spans }) => ({
    id,
    spans: spans.map((span, index) => ({
      from: place(span.fromMs),
      to: index === spans.length - 1 ? 1 : place(span.toMs),
      state: span.state,
      tone: span.tone,
    })),
  }));
  const marks = placeMarks(picture.marks.slice(0, MARKS_DRAWN_MAX).map(({ atMs }) => place(atMs)));
  return {
    lanes,
    marks,
    rows: Math.max(1, ...marks.map((mark) => mark.row + 1)),
    ticks: ticksOf(axisMs),
    title: titleOf(picture),
  };
}

function placeMarks(places: readonly number[]): readonly DrawnMark[] {
  const lastInRow: number[] = [];
  return places.map((at, index) => {
    let row = lastInRow.findIndex((last) => at - last >= MARK_WIDTH);
    if (row < 0) row = Math.min(lastInRow.length, ROWS_MAX - 1);
    lastInRow[row] = at;
    return { number: index + 1, at, row };
  });
}

const STEPS_MS = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000] as const;

/** Four to eight round numbers. */
function ticksOf(axisMs: number): FailoverDrawing["ticks"] {
  const stepMs = STEPS_MS.find((step) => axisMs / step <= 8) ?? 600_000;
  const ticks: { at: number; text: string }[] = [];
  for (let atMs = 0; atMs <= axisMs && ticks.length < 20; atMs += stepMs) {
    ticks.push({ at: atMs / axisMs, text: `${Number((atMs / 1_000).toFixed(2))} s` });
  }
  return ticks;
}

const KIND = {
  failover: "Failover",
  switchover: "Switchover",
  forced: "Forced takeover",
  start: "Start",
} as const;

/** `Failover from node1 to node2`. */
export function failoverName({
  kind,
  fromNode,
  toNode,
}: Pick<FailoverPicture, "kind" | "fromNode" | "toNode">): string {
  const from = fromNode === null || fromNode === toNode ? "" : ` from ${fromNode}`;
  return `${KIND[kind]}${from} ${from === "" ? "on" : "to"} ${toNode}`;
}

/** How long the service was away, or that it still is. */
export const downText = (serviceDownMs: number | null): string =>
  serviceDownMs === null
    ? "the service has not answered yet"
    : `service down ${durationText(serviceDownMs)}`;

const titleOf = (picture: FailoverPicture): string =>
  `${failoverName(picture)}, epoch ${picture.epochBefore} to ${picture.epochAfter}: ` +
  `${downText(picture.serviceDownMs)}. Because: ${picture.trigger.reason}`;

/** The three figures above the picture. */
export function failoverFigures(
  picture: FailoverPicture,
): readonly { readonly label: string; readonly text: string }[] {
  const labels = { detect: "Detect", decide: "Decide", start: "Move and start" } as const;
  const figures = picture.phases.map((phase) => ({
    label: labels[phase.kind],
    text: durationText(Math.max(0, phase.toMs - phase.fromMs)),
  }));
  const down = picture.serviceDownMs;
  return [
    ...figures,
    { label: "Service down", text: down === null ? "still" : durationText(down) },
  ];
}

/** Is the order of these two beyond what the clocks can tell? */
export function isOrderUnsure(
  before: FailoverPicture["marks"][number] | undefined,
  mark: FailoverPicture["marks"][number],
): boolean {
  if (before === undefined || before.node === mark.node) return false;
  return mark.atMs - before.atMs <= Math.max(before.offsetErrMs, mark.offsetErrMs);
}
