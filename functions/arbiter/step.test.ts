import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decideVote } from "#model/quorum/decide-vote.ts";
import { releaseText } from "#model/quorum/pair.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import { EventBook } from "../clusters/event-book.ts";
import { Signals } from "../clusters/signals.ts";
import { isSignedBy } from "../identity/node-signature.ts";
import { systemTimers } from "../local/adapters.ts";
import type { EventLog, RecordStore } from "../ports.ts";
import { memoryEventLog, memoryRecordStore } from "../stores/memory/memory-store.ts";
import { Database } from "../stores/sqlite/database.ts";
import { sqliteEventLog, sqliteRecordStore } from "../stores/sqlite/sqlite-store.ts";
import { openArbiter, type VotePlace } from "./step.ts";

const folder = mkdtempSync(join(tmpdir(), "arbiter-"));
const databases: Database[] = [];
afterAll(() => {
  for (const database of databases) database.close();
  rmSync(folder, { recursive: true, force: true });
});

const nodeKeys = new Map(
  ["node1", "node2"].map((id) => [id, generateKeyPairSync("ec", { namedCurve: "P-256" })]),
);
const publicKey = (nodeId: string): string | null =>
  nodeKeys.get(nodeId)?.publicKey.export({ format: "der", type: "spki" }).toString("base64") ??
  null;

function open(kind: string) {
  let records: RecordStore = memoryRecordStore("store-1");
  let log: EventLog = memoryEventLog(1000);
  if (kind === "sqlite") {
    const database = new Database(join(folder, `${databases.length}.db`), "store-1");
    databases.push(database);
    records = sqliteRecordStore(database);
    log = sqliteEventLog(database, 1000);
  }
  const clock = { nowMs: () => clock.now, now: 1_800_000_000_000 };
  const events = new EventBook(log, new Signals(systemTimers), clock);
  const reconciled: string[] = [];
  const arbiter = openArbiter({
    isSignedBy,
    records,
    clock,
    events,
    logger: { log: () => {} },
    decide: decideVote,
    findKey: async (_cluster, nodeId) => publicKey(nodeId),
    reconcile: (clusterId, moduleId) => reconciled.push(`${clusterId}/${moduleId}`),
  });
  return { arbiter, clock, events, reconciled };
}

const place = (nodeId: string): VotePlace => ({
  clusterId: "prod",
  moduleId: "shop",
  nodeId,
  nodes: ["node1", "node2"],
  timers: { witnessLeaseMs: 6000, witnessMarginMs: 300 },
});
const head = (nodeId: string, id: string, version: number) => ({
  id,
  nodeId,
  moduleId: "shop",
  storeId: "store-1",
  version,
  pairDecision: null,
});
const first = (nodeId: string, id: string): VoteRequest => ({
  ...head(nodeId, id, 0),
  kind: "firstPrimary",
  toEpoch: 1,
  historyId: `history-${nodeId}`,
  because: "person",
});
const granted = (answer: VoteAnswer | undefined) => answer?.kind === "granted";

describe.each(["memory", "sqlite"])("votes over %s", (kind) => {
  test("of a thousand at once, one is granted and everyone learns the same record", async () => {
    const { arbiter } = open(kind);
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => {
        const nodeId = i % 2 === 0 ? "node1" : "node2";
        return arbiter.vote(place(nodeId), first(nodeId, `vote-${i}`));
      }),
    );
    const answered = answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
    expect(answered.filter(granted)).toHaveLength(1);
    expect(answered).toHaveLength(1000);
    const record = await arbiter.record("prod", "shop");
    expect(record?.epoch).toBe(1);
    const winner = answered.find(granted);
    expect(record?.primary).toBe(winner?.record?.primary);
  });

  test("a repeat of a granted request is granted again and changes nothing", async () => {
    const { arbiter, events } = open(kind);
    const once = await arbiter.vote(place("node1"), first("node1", "vote-1"));
    const before = await arbiter.record("prod", "shop");
    const twice = await arbiter.vote(place("node1"), first("node1", "vote-1"));
    expect([once, twice].map((answer) => answer.ok && granted(answer.value))).toEqual([true, true]);
    expect(await arbiter.record("prod", "shop")).toEqual(before);
    const told = await events.after("prod", 0, 100);
    expect(told.filter((event) => event.kind === "epochChanged")).toHaveLength(1);
  });
});

describe("the arbiter", () => {
  test("asks for the address only after the record is stored, and tells what changed", async () => {
    const { arbiter, events, reconciled } = open("memory");
    await arbiter.vote(place("node1"), first("node1", "vote-1"));
    expect(reconciled).toEqual(["prod/shop"]);
    const told = await events.after("prod", 0, 100);
    expect(told.find((event) => event.kind === "epochChanged")?.data).toMatchObject({
      epochBefore: 0,
      epoch: 1,
      fromNode: null,
      toNode: "node1",
    });
  });

  test("takes no vote in another node's name, nor for another module", async () => {
    const { arbiter } = open("memory");
    const forged = await arbiter.vote(place("node2"), first("node1", "vote-1"));
    expect(forged.ok ? "" : forged.error.code).toBe("forbidden");
    const elsewhere = { ...first("node1", "vote-1"), moduleId: "other" };
    const other = await arbiter.vote(place("node1"), elsewhere);
    expect(other.ok ? "" : other.error.code).toBe("forbidden");
    expect(await arbiter.record("prod", "shop")).toBeNull();
  });

  test("believes a release only with the primary's own signature", async () => {
    const { arbiter } = open("memory");
    await arbiter.vote(place("node1"), first("node1", "vote-1"));
    const terms = { moduleId: "shop", epoch: 1, from: "node1", to: "node2" };
    const signedBy = (nodeId: string) => {
      const key = nodeKeys.get(nodeId)?.privateKey;
      if (key === undefined) throw new Error("no key");
      const text = Buffer.from(releaseText(terms));
      const signature = sign("sha256", text, { key, dsaEncoding: "ieee-p1363" });
      return { ...terms, signature: signature.toString("base64url") };
    };
    const promote = (id: string, signer: string): VoteRequest => ({
      ...head("node2", id, 1),
      kind: "promote",
      fromEpoch: 1,
      toEpoch: 2,
      release: signedBy(signer),
      isLastResort: false,
    });
    const forged = await arbiter.vote(place("node2"), promote("vote-2", "node2"));
    expect(forged.ok ? "" : forged.error.code).toBe("badSignature");
    const genuine = await arbiter.vote(place("node2"), promote("vote-3", "node1"));
    expect(genuine.ok).toBe(true);
  });

  test("takes a pair decision only from two different nodes of the module", async () => {
    const { arbiter } = open("memory");
    const signature = "A".repeat(86);
    const terms = {
      moduleId: "shop",
      epoch: 5,
      primary: "node1",
      inSync: ["node1"],
      historyId: "h",
    };
    for (const signers of [["node1", "node1"], ["node1", "node3"], ["node1"]]) {
      const signatures = signers.map((nodeId) => ({ nodeId, signature }));
      const pairDecision = { terms, signatures };
      const request: VoteRequest = { ...head("node1", "v", 0), kind: "adopt", pairDecision };
      const answer = await arbiter.vote(place("node1"), request);
      expect(answer.ok ? "" : answer.error.code).toBe("badSignature");
    }
  });
});
