/** Where things of the topology picture stand, in pixels of the space there is. Pure. */

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface TopologyLayout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Rectangle[];
  readonly witness: Rectangle;
  /** From the witness to each node. */
  readonly votes: readonly (readonly Point[])[];
  readonly link: { readonly from: Point; readonly to: Point; readonly isVertical: boolean };
  /** Where clients come in, per node: from here upwards into the box; null where there is no room. */
  readonly entries: readonly (Point | null)[];
}

/** Below this width the nodes stand under each other. */
const WIDE_FROM = 560;
const BOX_HEIGHT = 100;
const WITNESS = { width: 150, height: 46 } as const;

/** Lays out `count` nodes; with two of them the link is between them. */
export function layoutTopology(width: number, count: number, hasWitness: boolean): TopologyLayout {
  if (count > 2) return grid(width, count);
  return width >= WIDE_FROM ? side(width, count, hasWitness) : stack(width, count, hasWitness);
}

function witnessBox(width: number): Rectangle {
  return { x: (width - WITNESS.width) / 2, y: 2, ...WITNESS };
}

function side(width: number, count: number, hasWitness: boolean): TopologyLayout {
  const boxWidth = Math.min(230, (width - 190) / 2);
  const y = hasWitness ? 92 : 2;
  const xs = count === 1 ? [(width - boxWidth) / 2] : [1, width - boxWidth - 1];
  const boxes = xs.map((x) => ({ x, y, width: boxWidth, height: BOX_HEIGHT }));
  const witness = witnessBox(width);
  const middle = y + BOX_HEIGHT / 2;
  return {
    width,
    height: y + BOX_HEIGHT + 52,
    boxes,
    witness,
    votes: boxes.map((box) => {
      const x = box.x + box.width / 2;
      const isLeft = x < width / 2;
      const from = { x: isLeft ? witness.x : witness.x + witness.width, y: witness.height / 2 + 2 };
      return [from, { x, y: from.y }, { x, y }];
    }),
    link: {
      from: { x: boxWidth + 1, y: middle },
      to: { x: width - boxWidth - 1, y: middle },
      isVertical: false,
    },
    entries: boxes.map((box) => ({ x: box.x + box.width / 2, y: y + BOX_HEIGHT })),
  };
}

function stack(width: number, count: number, hasWitness: boolean): TopologyLayout {
  const margin = 28;
  const top = hasWitness ? 84 : 2;
  const gap = 76;
  const boxes = Array.from({ length: count }, (_, index) => ({
    x: 1,
    y: top + index * (BOX_HEIGHT + gap),
    width: width - margin - 2,
    height: BOX_HEIGHT,
  }));
  const witness = witnessBox(width);
  const right = width - margin / 2;
  // To the left, so that the label beside it has room.
  const x = 40;
  const last = boxes.at(-1);
  return {
    width,
    height: (last?.y ?? top) + BOX_HEIGHT + 4,
    boxes,
    witness,
    votes: boxes.map((box, index) => {
      const middle = box.y + box.height / 2;
      const bottom = { x: width / 2, y: witness.y + witness.height };
      if (index === 0) return [bottom, { x: width / 2, y: box.y }];
      const from = { x: witness.x + witness.width, y: witness.y + witness.height / 2 };
      return [
        from,
        { x: right, y: from.y },
        { x: right, y: middle },
        { x: box.x + box.width, y: middle },
      ];
    }),
    link: {
      from: { x, y: top + BOX_HEIGHT },
      to: { x, y: top + BOX_HEIGHT + gap },
      isVertical: true,
    },
    entries: boxes.map(() => null),
  };
}

function grid(width: number, count: number): TopologyLayout {
  const boxWidth = Math.min(220, width - 2);
  const columns = Math.max(1, Math.floor((width + 12) / (boxWidth + 12)));
  const boxes = Array.from({ length: count }, (_, index) => ({
    x: 1 + (index % columns) * (boxWidth + 12),
    y: 2 + Math.floor(index / columns) * (BOX_HEIGHT + 12),
    width: boxWidth,
    height: BOX_HEIGHT,
  }));
  const origin = { x: 0, y: 0 };
  return {
    width,
    height: Math.ceil(count / columns) * (BOX_HEIGHT + 12) + 2,
    boxes,
    witness: { ...origin, width: 0, height: 0 },
    votes: [],
    link: { from: origin, to: origin, isVertical: false },
    entries: boxes.map(() => null),
  };
}
