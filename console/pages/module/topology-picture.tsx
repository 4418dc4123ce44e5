/** The mirror as a picture. The table under it holds every fact, so nothing is told only here. */

import { useWidth } from "../../shell/use-width.ts";
import type { Topology, TopologyLink, TopologyNode } from "../../view/topology.ts";
import {
  layoutTopology,
  type Point,
  type Rectangle,
  type TopologyLayout,
} from "../../view/topology-layout.ts";
import { ACCENT, INK, INK_OF_TONE, LINE, PAPER, QUIET_INK } from "./tone-colors.ts";

/** Draws what {@link Topology} says. */
export function TopologyPicture({ topology }: { readonly topology: Topology }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const layout = layoutTopology(width, topology.nodes.length, topology.witness !== null);
  return (
    <div ref={ref}>
      {width > 0 && (
        <svg
          className="picture"
          role="img"
          aria-label={topology.title}
          viewBox={`0 0 ${layout.width} ${layout.height}`}
        >
          <title>{topology.title}</title>
          {topology.witness !== null && (
            <Witness label={topology.witness.label} topology={topology} layout={layout} />
          )}
          {topology.link !== null && (
            <ReplicationLink link={topology.link} layout={layout} nodes={topology.nodes} />
          )}
          {topology.nodes.map((node, index) => {
            const box = layout.boxes[index];
            const entry = layout.entries[index] ?? null;
            if (box === undefined) return null;
            return <NodeBox key={node.id} node={node} box={box} entry={entry} />;
          })}
        </svg>
      )}
    </div>
  );
}

function Witness({
  label,
  topology,
  layout,
}: {
  readonly label: string;
  readonly topology: Topology;
  readonly layout: TopologyLayout;
}) {
  const { x, y, width, height } = layout.witness;
  const middle = x + width / 2;
  return (
    <g>
      {topology.nodes.map((node, index) => (
        <polyline
          key={node.id}
          points={(layout.votes[index] ?? []).map((point) => `${point.x},${point.y}`).join(" ")}
          fill="none"
          stroke={LINE}
          strokeWidth={1}
          strokeDasharray={node.reachesWitness ? "none" : "1 5"}
        />
      ))}
      <rect x={x} y={y} width={width} height={height} rx={height / 2} fill={PAPER} stroke={LINE} />
      <text x={middle} y={y + 19} textAnchor="middle" fontSize={13} fontWeight={700} fill={INK}>
        witness
      </text>
      <text x={middle} y={y + 36} textAnchor="middle" fontSize={12} fill={QUIET_INK}>
        {label}
      </text>
    </g>
  );
}

function NodeBox({
  node,
  box,
  entry,
}: {
  readonly node: TopologyNode;
  readonly box: Rectangle;
  readonly entry: Point | null;
}) {
  const ink = INK_OF_TONE[node.tone];
  const left = box.x + 14;
  const lettersMax = Math.floor((box.width - 44) / 7.6);
  return (
    <g>
      <rect {...box} rx={12} fill={PAPER} stroke={ink} strokeWidth={2} />
      <text x={left} y={box.y + 27} fontSize={15} fontWeight={700} fill={INK}>
        {shorten(node.id, Math.floor((box.width - 28) / 9))}
      </text>
      <text x={left} y={box.y + 53} fontSize={14} fontWeight={700} fill={ink}>
        {node.shape} {shorten(node.word, lettersMax)}
      </text>
      <text x={left} y={box.y + 80} fontSize={13} fill={node.address === null ? QUIET_INK : INK}>
        {node.addressText}
      </text>
      {node.address !== null && entry !== null && (
        <g stroke={ACCENT} fill="none" strokeWidth={2}>
          <path d={`M ${entry.x} ${entry.y + 32} V ${entry.y + 4}`} />
          <path d={`M ${entry.x - 6} ${entry.y + 11} L ${entry.x} ${entry.y + 4} l 6 7`} />
        </g>
      )}
      {node.address !== null && entry !== null && (
        <text x={entry.x} y={entry.y + 47} textAnchor="middle" fontSize={13} fill={INK}>
          clients
        </text>
      )}
    </g>
  );
}

function ReplicationLink({
  link,
  layout,
  nodes,
}: {
  readonly link: TopologyLink;
  readonly layout: TopologyLayout;
  readonly nodes: readonly TopologyNode[];
}) {
  const { from, to, isVertical } = layout.link;
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const isBroken = link.kind === "broken";
  const stroke = {
    inSync: INK_OF_TONE.success,
    resync: INK_OF_TONE.progress,
    broken: INK_OF_TONE.error,
    unknown: LINE,
  }[link.kind];
  const dashes = { inSync: "none", resync: "10 6", broken: "none", unknown: "1 6" }[link.kind];
  const gap = isBroken ? 14 : 0;
  const ends = isVertical
    ? [`M ${from.x} ${from.y} V ${middle.y - gap}`, `M ${to.x} ${to.y} V ${middle.y + gap}`]
    : [`M ${from.x} ${from.y} H ${middle.x - gap}`, `M ${to.x} ${to.y} H ${middle.x + gap}`];
  return (
    <g>
      {ends.map((path) => (
        <path key={path} d={path} stroke={stroke} strokeWidth={3} strokeDasharray={dashes} />
      ))}
      {link.from !== null && (
        <path
          d={arrow(link.from === nodes[0]?.id ? to : from, middle, isVertical)}
          stroke={stroke}
          strokeWidth={3}
          fill="none"
        />
      )}
      {link.label.map((text, index) => (
        <text
          key={text}
          x={isVertical ? middle.x + 18 : middle.x}
          y={isVertical ? middle.y - 2 + index * 17 : middle.y + (index === 0 ? -12 : 22)}
          textAnchor={isVertical ? "start" : "middle"}
          fontSize={13}
          fill={INK}
        >
          {text}
        </text>
      ))}
    </g>
  );
}

/** An arrow head at `tip`, coming from `origin`. */
function arrow(tip: Point, origin: Point, isVertical: boolean): string {
  const back = isVertical ? Math.sign(origin.y - tip.y) * 11 : Math.sign(origin.x - tip.x) * 11;
  return isVertical
    ? `M ${tip.x - 7} ${tip.y + back} L ${tip.x} ${tip.y} L ${tip.x + 7} ${tip.y + back}`
    : `M ${tip.x + back} ${tip.y - 7} L ${tip.x} ${tip.y} L ${tip.x + back} ${tip.y + 7}`;
}

const shorten = (text: string, lettersMax: number): string =>
  text.length <= lettersMax ? text : `${text.slice(0, Math.max(1, lettersMax - 1))}…`;
