/** A broken promise as a story that a person can follow: each move, and what it left. */
import { Carrier } from "./carrier.ts";
import type { ExploredNode } from "./explored-node.ts";
import { type Budget, diskOf, IDS, type World } from "./explored-world.ts";
import { eachMove } from "./moves.ts";
import { type Broken, inSyncWorld } from "./search.ts";

export function storyOf(
  broken: Broken,
  areClocksTogether: boolean,
  budget: Budget,
): readonly string[] {
  if (broken.moves.length === 0) return [`so: ${broken.promise}`];
  for (const id of IDS) {
    const told = tell(inSyncWorld(id, budget), broken.moves, areClocksTogether);
    if (told !== null) return [...told, `so: ${broken.promise}`];
  }
  return broken.moves;
}

function tell(
  start: World,
  moves: readonly string[],
  areClocksTogether: boolean,
): readonly string[] | null {
  const carrier = new Carrier(areClocksTogether);
  const lines = ["A pair in sync:", ...picture(start)];
  let w = start;
  for (const [i, text] of moves.entries()) {
    const make = findMove(carrier, w, text, areClocksTogether);
    if (make === null) return null;
    lines.push(`${i + 1}. ${text}`);
    try {
      w = make();
    } catch {
      return lines;
    }
    lines.push(...picture(w));
  }
  return lines;
}

function findMove(carrier: Carrier, w: World, text: string, areClocksTogether: boolean) {
  let found: (() => World) | null = null;
  eachMove(carrier, w, { areClocksTogether }, (name, make) => {
    if (name === text) found = make;
    // A crash in the middle of a move is offered only after the whole move was made.
    else if (text.startsWith(`${name};`)) make();
  });
  return found as (() => World) | null;
}

function picture(w: World): readonly string[] {
  const { record, ledger, strays } = w;
  const grant = record?.grant ? `, its grant is ${record.grant.holder}'s` : "";
  const recorded =
    record === null
      ? "no record"
      : `epoch ${record.epoch} of ${record.primary}, in sync {${record.inSync}}${grant}`;
  const lacking = IDS.filter((id) => ledger.places.some((p) => p[id] === "absent"));
  const writes = lacking.length > 0 ? `; ${lacking.join(" and ")} lacks acknowledged writes` : "";
  const cut = strays.cut.length > 0 ? `; cut: ${strays.cut.join(" ")}` : "";
  return [...IDS.map((id) => nodeLine(id, w[id])), `     witness: ${recorded}${writes}${cut}`];
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
  const acks = data.kind === "serve" ? (data.ackBy.length === 0 ? " alone" : " with its peer") : "";
  const doing = data.kind === "refuse" ? "" : `, ${data.kind}s${acks}${isFenced ? ", fenced" : ""}`;
  const stream = Object.entries(links).map(([peer, link]) => `, stream to ${peer} ${link}`);
  return `     ${id}: ${node.state.role.kind}${doing}${stream.join("")}; ${kept}${noted}`;
}
