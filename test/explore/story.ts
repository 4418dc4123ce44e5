/** A broken promise as a story that a person can follow: each move, and what it left. */

import { type Budget, Budgets, NO_FAULTS } from "./budgets.ts";
import { Carrier } from "./carrier.ts";
import type { ExploredNode } from "./explored-node.ts";
import { diskOf, idsOf, type World } from "./explored-world.ts";
import { eachMove, type Move } from "./moves.ts";
import type { Broken, SearchOptions } from "./search.ts";
import { inSyncWorld } from "./start.ts";

type Told = Pick<SearchOptions, "areClocksTogether" | "budget" | "nodeCount">;

export function storyOf(
  broken: Broken,
  { areClocksTogether, budget, nodeCount }: Told,
): readonly string[] {
  if (broken.moves.length === 0) return [`so: ${broken.promise}`];
  const ids = idsOf(nodeCount);
  for (const id of ids) {
    const told = tell(inSyncWorld(ids, id), broken.moves, areClocksTogether, budget);
    if (told !== null) return [...told, `so: ${broken.promise}`];
  }
  return broken.moves;
}

function tell(
  start: World,
  moves: readonly string[],
  areClocksTogether: boolean,
  budget: Budget,
): readonly string[] | null {
  const carrier = new Carrier(areClocksTogether, start.ids);
  const budgets = new Budgets(budget);
  const lines = [start.ids.length === 2 ? "A pair in sync:" : "Three in sync:", ...picture(start)];
  let w = start;
  let left = 0;
  for (const [i, text] of moves.entries()) {
    const found: Move[] = [];
    eachMove(carrier, w, budgets.all[left] ?? NO_FAULTS, (move) => found.push(move));
    const move = found.find((one) => one.text === text);
    if (move === undefined) return null;
    lines.push(`${i + 1}. ${text}`);
    if (move.after instanceof Error) return lines;
    w = move.after;
    left = budgets.after(left, move.faults);
    lines.push(...picture(w));
  }
  return lines;
}

function picture(w: World): readonly string[] {
  const { record, ledger, strays } = w;
  const grant = record?.grant ? `, its grant is ${record.grant.holder}'s` : "";
  const recorded =
    record === null
      ? "no record"
      : `epoch ${record.epoch} of ${record.primary}, in sync {${record.inSync}}${grant}`;
  const lacking = w.ids.filter((id) => ledger.places.some((p) => p[id] === "absent"));
  const writes = lacking.length > 0 ? `; ${lacking.join(" and ")} lacks acknowledged writes` : "";
  const cut = strays.cut.length > 0 ? `; cut: ${strays.cut.join(" ")}` : "";
  return [
    ...w.ids.map((id) => nodeLine(id, w.nodes[id])),
    `     witness: ${recorded}${writes}${cut}`,
  ];
}

function nodeLine(id: string, node: ExploredNode): string {
  const disk = diskOf(node);
  const marks = [
    disk?.outdated ? "outdated" : "",
    disk?.isUnclean ? "unclean" : "",
    disk?.joining ? `joining ${disk.joining}` : "",
    ...(disk?.standingVotes.map((vote) => `holds a standing vote of ${vote.from}`) ?? []),
    (disk?.asked ?? 0) > 0 ? `asked for ${disk?.asked}` : "",
    disk?.pairVote ? `voted for ${disk.pairVote.terms.epoch}` : "",
  ].filter((mark) => mark !== "");
  const kept = `epoch ${disk?.epoch} of ${disk?.primary} {${disk?.inSync}}`;
  const noted = marks.length > 0 ? ` (${marks.join(", ")})` : "";
  if (node.kind === "dead") return `     ${id}: dead; on its disk ${kept}${noted}`;
  const { data, isFenced, links } = node.shell;
  const acks =
    data.kind === "serve"
      ? data.ackBy.length === 0
        ? " alone"
        : ` with ${data.ackBy.join(" and ")}`
      : "";
  const doing = data.kind === "refuse" ? "" : `, ${data.kind}s${acks}${isFenced ? ", fenced" : ""}`;
  const stream = Object.entries(links).map(([peer, link]) => `, stream to ${peer} ${link}`);
  return `     ${id}: ${node.state.role.kind}${doing}${stream.join("")}; ${kept}${noted}`;
}
