import type { Mutant } from "./mutant.ts";

const NODE = "model/quorum/node";

/** The quorum protocol: the explorer must find a story in which each breaks a promise. */
const PROTOCOL: readonly Mutant[] = [
  {
    id: "M03",
    wrong: "a lease is counted from the answer, not from before the question",
    file: `${NODE}/witness.ts`,
    find: "  pending.firstSentMs + yes.leaseMs * HOLDER_SHARE;",
    replace: "  pending.lastSentMs + 2 * yes.leaseMs;",
    caughtBy: "explore",
  },
  {
    id: "M06",
    wrong: "a vote is sent before it is on the disk",
    file: `${NODE}/effects.ts`,
    find: "  restrain(effects, was, now, after);\n",
    replace: "  restrain(effects, was, now, after);\n  tell(effects, was, now);\n",
    caughtBy: "explore",
  },
  {
    id: "M07",
    wrong: "a standing vote is given and not written down",
    file: `${NODE}/wait.ts`,
    find: "  const given = patchDisk(s, { outdated: true });",
    replace: "  const given = s;",
    caughtBy: "explore",
  },
  {
    id: "M09",
    wrong: "a primary acknowledges alone when it has asked for that, before the answer",
    file: `${NODE}/facts.ts`,
    find: "  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || isRequired(s, id));",
    replace:
      '  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || (s.witness.pending?.request.kind !== "grant" && isRequired(s, id)));',
    caughtBy: "explore",
  },
  {
    id: "M10",
    wrong: "the witness ignores the version that a request was decided from",
    file: "model/quorum/decide-vote.ts",
    find: "  if (request.version !== (record?.version ?? 0)) {",
    replace: "  if (request.version > 1_000_000) {",
    caughtBy: "explore",
  },
  {
    id: "M11",
    wrong: "the larger set is recorded before the peer says that its copy is complete",
    file: `${NODE}/lead.ts`,
    find: "  if (!isAttached || !isOut || ask !== null) return s;",
    replace: "  if (!isOut || ask !== null) return s;",
    caughtBy: "explore",
  },
  {
    id: "M14",
    wrong: "no answer is taken for a no",
    file: `${NODE}/witness.ts`,
    find: "  const silentSinceMs = s.witness.silentSinceMs ?? pending.firstSentMs;\n  const witness = { ...s.witness, silentSinceMs, pending: { ...pending, isInFlight: false } };\n  return patch(s, { witness });",
    replace:
      "  const witness = { ...s.witness, pending: null };\n  return patchDisk(patch(s, { witness }), { asked: 0 });",
    caughtBy: "explore",
  },
  {
    id: "M16",
    wrong: "a copy that may lack writes is promoted",
    file: "model/quorum/decide-vote.ts",
    find: "  if (!record.inSync.includes(ask.nodeId)) {",
    replace: "  if (record.inSync.length === 0) {",
    caughtBy: "explore",
  },
  {
    id: "M20",
    wrong: "a node that was primary when it died takes itself for the whole set",
    file: `${NODE}/boot.ts`,
    find: "    bootId: e.bootId,\n",
    replace:
      "    bootId: e.bootId,\n    inSync: disk.primary === config.self ? [config.self] : disk.inSync,\n",
    caughtBy: "explore",
  },
  {
    id: "M27",
    wrong: "a forced primary keeps the epoch that was",
    file: "model/quorum/decide-vote.ts",
    find: "  const next: WitnessRecord = {\n    ...was,\n    epoch: ask.toEpoch,",
    replace: "  const next: WitnessRecord = {\n    ...was,\n    epoch: was.epoch,",
    caughtBy: "explore",
  },
  {
    id: "M31",
    wrong: "writes are acknowledged alone while the recording of the larger set is unanswered",
    file: `${NODE}/facts.ts`,
    find: "  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || isRequired(s, id));",
    replace:
      "  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || s.disk.inSync.includes(id));",
    caughtBy: "explore",
  },
  {
    id: "M32",
    wrong: "a granted request that changes nothing does not raise the version",
    file: "model/quorum/decide-vote.ts",
    find: "  const record = { ...next, version: next.version + 1, requests };",
    replace:
      "  const isSame = next.inSync.join() === d.record?.inSync.join() && next.epoch === d.record?.epoch;\n  const record = { ...next, version: next.version + (isSame ? 0 : 1), requests };",
    caughtBy: "explore",
  },
  {
    id: "M33",
    wrong: "a node promises to help while its own question is open",
    file: `${NODE}/outputs.ts`,
    find: '  if (s.disk.epoch === 0 || primaryPeer(s) === null || hasOpenVote(s.disk)) return null;\n  if (s.role.kind === "candidate"',
    replace:
      '  if (s.disk.epoch === 0 || primaryPeer(s) === null) return null;\n  if (s.role.kind === "stopped"',
    caughtBy: "explore",
  },
  {
    id: "M34",
    wrong: "at equal epochs the lower name is chosen, whatever the last primary's disk says",
    file: `${NODE}/pair-vote.ts`,
    find: "  const set = owner === undefined ? [] : setOf(owner, nodes, top);\n  const able = nodes.filter((n) => set.includes(n.nodeId) && !n.outdated);",
    replace: "  void setOf;\n  const able = nodes;",
    caughtBy: "explore",
  },
  {
    id: "M35",
    wrong: "a node whose machine died keeps its place as if it held everything",
    file: `${NODE}/boot.ts`,
    find: "  return !isAlone;",
    replace: "  return isAlone && false;",
    caughtBy: "explore",
  },
  {
    id: "M36",
    wrong: "a copy counts as complete before the primary requires its acknowledgement",
    file: `${NODE}/wait.ts`,
    find: "  if (!isRequired || !isComplete || leader.standingVoteAsk !== null) return s;",
    replace: "  if (!isComplete || leader.standingVoteAsk !== null) return s;",
    caughtBy: "explore",
  },
  {
    id: "M38",
    wrong: "a primary hands over before the other disk has everything",
    file: `${NODE}/handover.ts`,
    find: '      return withRole(s, { ...role, handover: { ...handover, step: "flushing", sinceMs: nowMs } });\n    case "flushing":\n      if (handover.to !== null && secondaryOf(role, handover.to).isAttached) return s;',
    replace:
      '      return withRole(s, { ...role, handover: { ...handover, step: "signing", sinceMs: nowMs } });\n    case "flushing":\n      if (handover.to !== null && secondaryOf(role, handover.to).isAttached) return s;',
    caughtBy: "explore",
  },
  {
    id: "M02",
    wrong: "a secondary asks for promotion before its last promise has run out",
    file: `${NODE}/vote-facts.ts`,
    find: "  if (lastEnds !== null && nowMs < lastEnds + handicapMs) return false;",
    replace: "  void [lastEnds, handicapMs];",
    caughtBy: "explore",
  },
  {
    id: "M12",
    wrong: "the witness lets another node in while its grant still runs",
    file: "model/quorum/decide-vote.ts",
    find: "  if (d.nowMs >= held.expiresAtMs + d.settings.timers.witnessMarginMs) return null;",
    replace: "  if (d.nowMs >= 0) return null;",
    caughtBy: "explore",
  },
  {
    id: "M17",
    wrong: "a standing vote is given while an own question is open",
    file: `${NODE}/wait.ts`,
    find: "  if (s.disk.asked > s.disk.epoch || s.disk.pairVote !== null) return s;",
    replace: "",
    caughtBy: "explore",
  },
  {
    id: "M19",
    wrong: "a vote for the pair binds nobody",
    file: "model/quorum/disk.ts",
    find: "  Math.max(disk.epoch, disk.asked, disk.pairVote?.terms.epoch ?? 0);",
    replace: "  Math.max(disk.epoch, disk.asked);",
    caughtBy: "explore",
  },
];

/** What is around the protocol: whole agents must show it in a simulated world. */
const SHELL: readonly Mutant[] = [
  {
    id: "M01",
    wrong: "a receiver does not look at the epoch of what it applies",
    file: "model/replication/receiver-order.ts",
    find: '    if (this.#followed === null) return err(this.#refusal("this node follows no primary"));\n    if (epoch < this.known) {',
    replace:
      "    if (this.#followed === null) return ok(undefined);\n    if (epoch < this.known && epoch < 0) {",
    caughtBy: "sim",
  },
  {
    id: "M05",
    wrong: "a holder counts its lease for longer than the voter keeps it",
    file: "model/quorum/timers.ts",
    find: "export const HOLDER_SHARE = 0.9;",
    replace: "export const HOLDER_SHARE = 1.5;",
    caughtBy: "sim",
  },
  {
    id: "M08",
    wrong: "an fsync returns when the other node has it, before it is on that disk",
    file: "model/replication/sender-window.ts",
    find: '      if (entry.need === "durable") this.#undurable.set(entry.sequence, entry);\n      else this.#free(entry);',
    replace: "      this.#free(entry);",
    caughtBy: "sim",
  },
  {
    id: "M39",
    wrong: "operations that wait are acknowledged when their stream breaks",
    file: "model/replication/sender-window.ts",
    find: "  detach(): void {\n    this.#strand();",
    replace:
      "  detach(): void {\n    this.#strand();\n    for (const entry of this.#stranded) this.#free(entry);",
    caughtBy: "sim",
  },
  {
    id: "M18",
    wrong: "a data thread answers without looking at the lease",
    file: "node-agent/replication/lease-gate.ts",
    find: "    return this.#options.cell.isLive(this.look(0));",
    replace: "    return this.look(0) > 0;",
    caughtBy: "sim",
  },
  {
    id: "M21",
    wrong: "a node whose quorum file is damaged takes itself for a new one",
    file: `${NODE}/boot.ts`,
    find: "freshDisk(config.moduleId, config.self, e.bootId, e.isDiskLost)",
    replace: "freshDisk(config.moduleId, config.self, e.bootId, false)",
    caughtBy: "sim",
  },
  {
    id: "M29",
    wrong: "a resync does not look again at what the application changed meanwhile",
    file: "model/replication/dirty-set.ts",
    find: "    const { inode, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = change;",
    replace:
      "    const { inode, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = change;\n    if (offsetBytes >= 0) return;",
    caughtBy: "sim",
  },
  {
    id: "M30",
    wrong: "a state that could not be written is taken for written",
    file: "node-agent/mirror/quorum-loop.ts",
    find: '        this.#waiting.unshift({ kind: "persistFailed", cause, kept: this.#disk });\n        break;',
    replace: "        void cause;",
    caughtBy: "sim",
  },
];

export const MUTANTS: readonly Mutant[] = [...PROTOCOL, ...SHELL].sort((x, y) =>
  x.id < y.id ? -1 : 1,
);
