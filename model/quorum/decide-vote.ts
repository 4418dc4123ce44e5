import { assertNever } from "../shared/assert.ts";
import type { UnixMs } from "../shared/ids.ts";
import { oneSentence } from "../shared/one-sentence.ts";
import type { WitnessRecord } from "./record.ts";
import { adoptDecision, freshRecord, openRecord, takeReport } from "./recover-record.ts";
import { hasWitnessVote, isMajority, supportersOf } from "./voters.ts";
import type {
  FirstPrimaryRequest,
  ForceRequest,
  GrantRequest,
  GrowRequest,
  PromoteRequest,
  Refusal,
  VoteDecision,
  VoteEffect,
  VoteRequest,
  WitnessSettings,
} from "./votes.ts";

/**
 * The witness's whole mind, as one pure function. It holds no data and remembers one record per
 * module, so it can say yes to one node only. The shell reads the record, calls `decideVote`,
 * stores the outcome by compare-and-set on `version` (a lost write means: read and decide again),
 * and only then answers and runs the effects. It also verifies, before it calls, the signatures in
 * `pairDecision`, `release` and `ballots`: here they are believed.
 *
 * Two rules make a late or doubled request harmless. Every granted request raises `version`, even
 * one that changes nothing else, and every request names the version it was decided from: whatever
 * was sent earlier is dead. And a refusal that only the passing of time would lift (another node's
 * grant still lives) raises it too, so that no copy of that request can succeed after the asker
 * was told no and went back to helping its primary.
 */
export function decideVote(
  stored: WitnessRecord | null,
  request: VoteRequest,
  nowMs: UnixMs,
  settings: WitnessSettings,
): VoteDecision {
  const record = stored === null ? null : openRecord(stored, settings.storeId);
  const deliberation = { stored, record, request, nowMs, settings };
  if (!settings.nodes.includes(request.nodeId)) {
    return refuse(deliberation, "invalid", `${request.nodeId} is no data node of this module`);
  }
  if (request.kind === "read") return tellRecord(deliberation);
  if (request.storeId !== settings.storeId) {
    return refuse(deliberation, "storeChanged", "the request was meant for another store");
  }
  if (record?.requests.some((r) => r.nodeId === request.nodeId && r.id === request.id)) {
    return repeatAnswer(deliberation, record);
  }
  if (request.version !== (record?.version ?? 0)) {
    return refuse(deliberation, "versionMoved", "the record changed since it was read");
  }
  if (request.kind === "report") return decideReport(deliberation, request);
  if (request.kind === "force") return decideForce(deliberation, request);
  if (request.kind === "firstPrimary") return decideFirst(deliberation, request);
  if (record === null) {
    return refuse(deliberation, "noRecord", "there is no record: a person names the good copy");
  }
  if (record.isRecovering) {
    return refuse(deliberation, "recovering", "the witness waits for every data node's report");
  }
  const adopted = adoptDecision(record, request.pairDecision, settings.nodes);
  return decideOnRecord({ ...deliberation, record: adopted }, adopted, request);
}

type Deliberation = {
  /** As read from the store; returned untouched when nothing changes. */
  readonly stored: WitnessRecord | null;
  /** The same, seen through this store's incarnation and any decision of the pair. */
  readonly record: WitnessRecord | null;
  readonly request: VoteRequest;
  readonly nowMs: UnixMs;
  readonly settings: WitnessSettings;
};

type RecordRequest = Exclude<
  VoteRequest,
  { kind: "read" } | { kind: "report" } | { kind: "force" } | { kind: "firstPrimary" }
>;

function decideOnRecord(
  d: Deliberation,
  record: WitnessRecord,
  request: RecordRequest,
): VoteDecision {
  switch (request.kind) {
    case "grant":
      return decideGrant(d, record, request);
    case "grow":
      return decideGrow(d, record, request);
    case "promote":
      return decidePromote(d, record, request);
    case "withdraw":
      return grant(d, record, `${request.nodeId} no longer asks for promotion`);
    case "adopt":
      return grant(d, record, "the witness knows what the pair decided");
    default:
      return assertNever(request);
  }
}

/** Renews the primary's grant and records the smaller set, in one write. */
function decideGrant(d: Deliberation, record: WitnessRecord, ask: GrantRequest): VoteDecision {
  const stale = refuseOtherEpoch(d, record, ask.epoch);
  if (stale !== null) return stale;
  if (record.primary !== ask.nodeId) {
    return refuse(d, "notPrimary", `${record.primary} is primary of epoch ${record.epoch}`);
  }
  const isPart = ask.inSync.every((n) => record.inSync.includes(n));
  if (!isPart || !ask.inSync.includes(ask.nodeId)) {
    return refuse(d, "invalid", "a grant may keep or shrink the in-sync set, and holds the asker");
  }
  const inSync = sorted(ask.inSync);
  const next = { ...record, inSync, grant: newGrant(d, ask.nodeId, ask.epoch) };
  return grant(d, next, `${ask.nodeId} goes on as primary with in-sync set ${inSync.join(", ")}`);
}

/** Records that the peer is back, and drops the grant: from here the peer's promise carries on. */
function decideGrow(d: Deliberation, record: WitnessRecord, ask: GrowRequest): VoteDecision {
  const stale = refuseOtherEpoch(d, record, ask.epoch);
  if (stale !== null) return stale;
  if (record.primary !== ask.nodeId) {
    return refuse(d, "notPrimary", `${record.primary} is primary of epoch ${record.epoch}`);
  }
  const isWhole = record.inSync.every((n) => ask.inSync.includes(n));
  const isKnown = ask.inSync.every((n) => d.settings.nodes.includes(n));
  if (!isWhole || !isKnown) {
    return refuse(d, "invalid", "a grow keeps the in-sync set and adds data nodes to it");
  }
  const inSync = sorted(ask.inSync);
  return grant(d, { ...record, inSync, grant: null }, `in sync again: ${inSync.join(", ")}`);
}

/** The vote that makes a secondary primary. */
function decidePromote(d: Deliberation, record: WitnessRecord, ask: PromoteRequest): VoteDecision {
  const stale = refuseOtherEpoch(d, record, ask.fromEpoch);
  if (stale !== null) return stale;
  if (ask.toEpoch <= record.epoch) {
    return refuse(d, "invalid", "the new epoch must be above the recorded one");
  }
  if (!record.inSync.includes(ask.nodeId)) {
    return refuse(d, "notInSync", `${ask.nodeId} may lack acknowledged writes`);
  }
  const release = ask.release;
  const isReleased =
    release !== null &&
    release.epoch === record.epoch &&
    release.from === record.primary &&
    release.to === ask.nodeId;
  if (!isReleased) {
    const live = refuseLiveGrant(d, record);
    if (live !== null) return live;
  }
  const { nodes } = d.settings;
  const forIt = supportersOf(
    ask.nodeId,
    ask.toEpoch,
    ask.ballots ?? [],
    isReleased ? release : null,
  );
  if (!isMajority(nodes, forIt, true)) {
    return refuse(d, "noMajority", `${ask.nodeId} has no majority of ${nodes.join(", ")}`);
  }
  const next = {
    ...record,
    epoch: ask.toEpoch,
    primary: ask.nodeId,
    // A primary that released its epoch flushed first: it lacks nothing until the new one writes.
    inSync: record.inSync.filter((n) => n === ask.nodeId || (isReleased && n === release.from)),
    grant: newGrant(d, ask.nodeId, ask.toEpoch),
  };
  const how = isReleased ? `as ${record.primary} handed over` : "as its peer is lost";
  const lastResort = ask.isLastResort
    ? `${ask.nodeId} starts from what its disk kept, as if both nodes had died`
    : null;
  return grant(d, next, lastResort ?? `${ask.nodeId} becomes primary, ${how}`);
}

/** Creates the record. Never where any node may have data of an earlier epoch. */
function decideFirst(d: Deliberation, ask: FirstPrimaryRequest): VoteDecision {
  if (d.record !== null) {
    const refusal = d.record.isRecovering ? "recovering" : "recordExists";
    return refuse(d, refusal, "this module has had a primary before");
  }
  if (ask.toEpoch < 1) return refuse(d, "invalid", "the first epoch is 1 or more");
  const next = {
    ...freshRecord(ask.moduleId, d.settings.storeId),
    epoch: ask.toEpoch,
    historyId: ask.historyId,
    primary: ask.nodeId,
    inSync: [ask.nodeId],
    grant: newGrant(d, ask.nodeId, ask.toEpoch),
  };
  const why = ask.because === "person" ? "a person named its copy" : "both copies are empty";
  return grant(d, next, `${ask.nodeId} is the first primary: ${why}`);
}

/** A person accepts a loss; only a primary that may be alive stands in the way. */
function decideForce(d: Deliberation, ask: ForceRequest): VoteDecision {
  const was = d.record ?? freshRecord(ask.moduleId, d.settings.storeId);
  if (ask.toEpoch <= was.epoch) {
    return refuse(d, "deposed", `epoch ${was.epoch} exists already: look again, then force`);
  }
  const live = refuseLiveGrant(d, was);
  if (live !== null) return live;
  const next: WitnessRecord = {
    ...was,
    epoch: ask.toEpoch,
    historyId: ask.historyId,
    primary: ask.nodeId,
    inSync: [ask.nodeId],
    grant: newGrant(d, ask.nodeId, ask.toEpoch),
    isRecovering: false,
    reports: [],
  };
  return grant(d, next, `${ask.by} forced ${ask.nodeId} to be primary: ${ask.reason}`);
}

function decideReport(d: Deliberation, ask: Extract<VoteRequest, { kind: "report" }>) {
  const taken = takeReport(d.record, ask, d.settings);
  if (taken.record.isRecovering || d.record?.isRecovering === false) {
    return grant(d, taken.record, taken.reason);
  }
  const { primary, epoch } = taken.record;
  // What was granted before the loss is unknown, so the last primary may still hold a grant.
  const held = primary === null ? null : newGrant(d, primary, epoch);
  return grant(d, { ...taken.record, grant: held }, taken.reason);
}

function refuseOtherEpoch(
  d: Deliberation,
  record: WitnessRecord,
  epoch: number,
): VoteDecision | null {
  if (epoch < record.epoch) {
    return refuse(d, "deposed", `epoch ${record.epoch} of ${record.primary} has begun`);
  }
  if (epoch > record.epoch) {
    return refuse(d, "witnessBehind", `the witness knows only epoch ${record.epoch}`);
  }
  return null;
}

function refuseLiveGrant(d: Deliberation, record: WitnessRecord): VoteDecision | null {
  const held = record.grant;
  if (held === null || held.holder === d.request.nodeId) return null;
  // The holder counts from before it asked, we from when we answered, plus drift: ours ends last.
  if (d.nowMs >= held.expiresAtMs + d.settings.timers.witnessMarginMs) return null;
  const refused = refuse(d, "grantLive", `${held.holder} still holds a grant`);
  const next = { ...record, version: record.version + 1 };
  return { ...refused, record: next, answer: { ...refused.answer, record: next } };
}

/** The witness's own vote for a while, where it has one. */
function newGrant(d: Deliberation, holder: string, epoch: number) {
  if (!hasWitnessVote(d.settings.nodes)) return null;
  return { holder, epoch, expiresAtMs: d.nowMs + d.settings.timers.witnessLeaseMs };
}

const sorted = (nodes: readonly string[]): readonly string[] => [...new Set(nodes)].sort();

function grant(d: Deliberation, next: WitnessRecord, why: string): VoteDecision {
  const reason = oneSentence(why);
  const { nodeId, id } = d.request;
  const others = next.requests.filter((r) => r.nodeId !== nodeId);
  const requests = [...others, { nodeId, id }].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const record = { ...next, version: next.version + 1, requests };
  const effects: VoteEffect[] = [];
  const hasMoved = d.stored?.epoch !== record.epoch || d.stored?.primary !== record.primary;
  if (hasMoved && record.primary !== null) {
    effects.push({ kind: "reconcile", epoch: record.epoch, primary: record.primary });
    const isForced = d.request.kind === "force";
    const isLastResort = d.request.kind === "promote" && d.request.isLastResort;
    const severity = isForced || isLastResort ? "critical" : "event";
    effects.push({ kind: "report", severity, text: reason });
  }
  return { record, answer: granted(d, record, reason), effects, reason };
}

/** A lost reply is no refusal: the asker hears yes again, and sees the record as it is now. */
function repeatAnswer(d: Deliberation, record: WitnessRecord): VoteDecision {
  const reason = "granted before; the answer was lost";
  return { record: d.stored, answer: granted(d, record, reason), effects: [], reason };
}

function granted(d: Deliberation, record: WitnessRecord, reason: string) {
  return {
    kind: "granted",
    requestId: d.request.id,
    storeId: d.settings.storeId,
    record,
    leaseMs: d.settings.timers.witnessLeaseMs,
    reason,
  } as const;
}

function refuse(d: Deliberation, refusal: Refusal, why: string) {
  const reason = oneSentence(why);
  const answer = {
    kind: "refused",
    requestId: d.request.id,
    storeId: d.settings.storeId,
    refusal,
    record: d.record,
    reason,
  } as const;
  return { record: d.stored, answer, effects: [], reason };
}

function tellRecord(d: Deliberation): VoteDecision {
  const reason = d.record === null ? "there is no record yet" : `epoch ${d.record.epoch}`;
  const answer = {
    kind: "record",
    requestId: d.request.id,
    storeId: d.settings.storeId,
    record: d.record,
    reason,
  } as const;
  return { record: d.stored, answer, effects: [], reason };
}
