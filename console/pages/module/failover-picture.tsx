/** A failover as lanes over time. The numbered list below says the same in words. */

import { useWidth } from "../../shell/use-width.ts";
import type { DrawnSpan, FailoverDrawing } from "../../view/failover-drawing.ts";
import { FAINT_LINE, FILL_OF_TONE, INK, PAPER, QUIET_INK } from "./tone-colors.ts";

const LANE = { height: 28, gap: 8 } as const;
const MARK_ROW = 24;
/** Below this width a lane's name stands above it. */
const WIDE_FROM = 560;

/** Draws what {@link FailoverDrawing} says. */
export function FailoverLanes({ drawing }: { readonly drawing: FailoverDrawing }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const isWide = width >= WIDE_FROM;
  const left = isWide ? 96 : 0;
  const axis = Math.max(1, width - left - 2);
  const marksHeight = drawing.rows * MARK_ROW + 4;
  const pitch = LANE.height + LANE.gap + (isWide ? 0 : 18);
  const lanesEnd = marksHeight + drawing.lanes.length * pitch;
  const x = (share: number) => left + share * axis;
  return (
    <div ref={ref}>
      {width > 0 && (
        <svg
          className="picture"
          role="img"
          aria-label={drawing.title}
          viewBox={`0 0 ${width} ${lanesEnd + 24}`}
        >
          <title>{drawing.title}</title>
          {drawing.ticks.map((tick) => (
            <g key={tick.text}>
              <path d={`M ${x(tick.at)} ${marksHeight} V ${lanesEnd}`} stroke={FAINT_LINE} />
              <text
                x={x(tick.at)}
                y={lanesEnd + 16}
                fontSize={12}
                fill={QUIET_INK}
                textAnchor={tick.at === 0 ? "start" : tick.at > 0.97 ? "end" : "middle"}
              >
                {tick.text}
              </text>
            </g>
          ))}
          {drawing.marks.map((mark) => (
            <path
              key={mark.number}
              d={`M ${x(mark.at)} ${mark.row * MARK_ROW + 20} V ${lanesEnd}`}
              stroke={QUIET_INK}
              strokeDasharray="2 4"
            />
          ))}
          {drawing.lanes.map((lane, index) => {
            const y = marksHeight + index * pitch + (isWide ? 0 : 18);
            return (
              <g key={lane.id}>
                <text x={0} y={isWide ? y + 19 : y - 5} fontSize={13} fontWeight={700} fill={INK}>
                  {lane.id.length > 12 && isWide ? `${lane.id.slice(0, 11)}…` : lane.id}
                </text>
                {lane.spans.map((span) => (
                  <Span key={`${span.from}/${span.state}`} span={span} x={x} y={y} />
                ))}
              </g>
            );
          })}
          <Marks drawing={drawing} x={x} />
        </svg>
      )}
    </div>
  );
}

function Span({
  span,
  x,
  y,
}: {
  readonly span: DrawnSpan;
  readonly x: (share: number) => number;
  readonly y: number;
}) {
  const { ground, edge, ink } = FILL_OF_TONE[span.tone];
  const width = Math.max(2, x(span.to) - x(span.from));
  return (
    <g>
      <rect
        x={x(span.from)}
        y={y}
        width={width}
        height={LANE.height}
        rx={5}
        fill={ground}
        stroke={edge}
      />
      {width > span.state.length * 7.4 + 12 && (
        <text x={x(span.from) + 8} y={y + 19} fontSize={13} fill={ink}>
          {span.state}
        </text>
      )}
    </g>
  );
}

function Marks({
  drawing,
  x,
}: {
  readonly drawing: FailoverDrawing;
  readonly x: (share: number) => number;
}) {
  return drawing.marks.map((mark) => {
    const cx = Math.min(x(1) - 11, Math.max(x(0) + 11, x(mark.at)));
    const cy = mark.row * MARK_ROW + 12;
    return (
      <g key={mark.number}>
        <circle cx={cx} cy={cy} r={10} fill={INK} />
        <text x={cx} y={cy + 4} textAnchor="middle" fontSize={12} fontWeight={700} fill={PAPER}>
          {mark.number}
        </text>
      </g>
    );
  });
}
