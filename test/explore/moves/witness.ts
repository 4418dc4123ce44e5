/** Questions to the witness, and its answers: in time, late, lost, or given twice. */
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import type { Carrier } from "../carrier.ts";
import { answerTo, type Id, type World, withAnswer } from "../explored-world.ts";
import { Interner } from "../interner.ts";
import { isCut, type Offer, withWitness } from "./move.ts";

export const requestOf = (w: World, id: Id): VoteRequest | null => {
  const node = w.nodes[id];
  return node.kind === "dead" ? null : (node.state.witness.pending?.request ?? null);
};

/** Its question reaches the witness, which answers before any wait can end. */
export const isAsking = (w: World, id: Id): boolean =>
  !isCut(w, `${id}>w`) && requestOf(w, id) !== null;

export function witness(c: Carrier, w: World, id: Id, offer: Offer): void {
  const late = answerTo(w, id);
  if (late !== null) {
    offer(`the late answer reaches ${id}: ${late.kind}`, null, (from) => told(c, from, id, late));
    return;
  }
  const request = requestOf(w, id);
  if (request === null) return;
  const again = isCut(w, `${id}>w`) ? `${id} reaches the witness again, and ` : "";
  const what = `${again}the witness answers ${id}'s ${request.kind}`;
  const voted = (from: World) => c.voted(withWitness(from, id), request);
  offer(what, null, (from) => {
    const { world, answer } = voted(from);
    return told(c, world, id, answer);
  });
  offer(`${what}, and the answer is late`, "strays", (from) => {
    const { world, answer } = voted(from);
    return withAnswer(world, id, answer);
  });
  offer(`${what}, and the answer is lost`, "lostReplies", (from) => {
    const requestId = request.id;
    return c.carry(voted(from).world, id, "unanswered", () => ({ kind: "unanswered", requestId }));
  });
  offer(`the witness hears ${id}'s ${request.kind}, which is asked again`, "strays", (from) => {
    return c.voted(from, request).world;
  });
}

function told(c: Carrier, w: World, id: Id, answer: VoteAnswer): World {
  const key = answerKey(answer);
  return c.carry(withAnswer(w, id, null), id, key, () => ({ kind: "answered", answer }));
}

const answerKeys = new Interner<VoteAnswer>();
const answerKey = (answer: VoteAnswer): string => `answer ${answerKeys.idOf(answer)}`;
