import { expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/**
 * Found by exploration (L4). The witness recorded a set without a, and the primary b died before it
 * heard so: it never went on alone. The pair decides for a, as b's disk says. Before a hears that b
 * signed too, it reads the old record, in which it is left out, and takes its copy for incomplete;
 * then it hears of its own epoch from the witness. Both copies called themselves incomplete, for ever.
 */
test("a copy that both nodes signed for is complete, whatever an older record said of it", () => {
  const w = new World();
  w.startInSync();
  w.a.command({ kind: "switchover" });
  w.runUntil("b leads, in sync", () => w.record?.primary === "b" && w.isInSync());

  w.cutPair();
  w.cutWitness("a");
  w.replyLoss = 1;
  w.runUntil("recorded without a, unheard", () => w.record?.inSync.join() === "b");
  expect(w.b.disk?.inSync).toEqual(["a", "b"]);
  w.b.crashOs();
  w.replyLoss = 0;
  w.b.boot();
  w.cut.delete("a>b");
  w.cut.delete("b>a");
  w.runUntil("a proposes", () => w.a.disk?.pairVote != null);

  w.cut.add("b>a");
  w.cutWitness("b");
  w.runUntil("b signs", () => w.b.disk?.epoch === w.a.disk?.pairVote?.terms.epoch);
  w.cut.delete("a>w");
  w.cut.delete("w>a");
  w.runUntil("a reads the old record", () => w.a.disk?.outdated === true);
  w.cutWitness("a");
  w.cut.delete("b>w");
  w.cut.delete("w>b");
  w.runUntil("b tells the witness", () => w.record?.primary === "a");
  w.cut.delete("a>w");
  w.cut.delete("w>a");
  w.runUntil("a hears of its epoch from the witness", () => w.a.disk?.epoch === w.record?.epoch);

  w.heal();
  w.runUntil("in sync", () => w.isInSync());
  expect(w.record?.primary).toBe("a");
});
