import { err, ok, type Result } from "../shared/result.ts";

/**
 * Every wait of the quorum protocol, in milliseconds. None of them protects an acknowledged write:
 * they bound how long a stale read or a second copy of an application is possible, and how fast
 * service comes back.
 */
export type QuorumTimers = {
  /** How often a node sends a heartbeat to its peer. */
  readonly heartbeatMs: number;
  /** Silence after which a node is judged lost. */
  readonly detectAfterMs: number;
  /** How long a node that answered a heartbeat helps nobody else become primary. */
  readonly peerLeaseMs: number;
  /** What a secondary adds to the end of its promise, so that a running primary asks first. */
  readonly handicapMs: number;
  /** How long the witness's grant lasts. */
  readonly witnessLeaseMs: number;
  /** What the witness adds to a grant's end before it lets another node in: clocks drift. */
  readonly witnessMarginMs: number;
  /** One attempt at the witness is given up after this long; its outcome is then unknown. */
  readonly voteTimeoutMs: number;
  /** An unanswered vote is sent again, with the same id, after this long. */
  readonly voteRetryMs: number;
  /** The witness counts as away when it has answered nothing for this long while asked. */
  readonly witnessAwayAfterMs: number;
  /** How often a node that needs nothing still reads the record: is the witness there, the same? */
  readonly witnessCheckMs: number;
  /** A replicated operation unanswered for this long means the replication path is down. */
  readonly replTimeoutMs: number;
  /** How long a node that just booted waits for a better one before it asks for itself. */
  readonly bootWaitMs: number;
  /** The heartbeat thread falls silent when the main or a data thread stood still this long. */
  readonly hangAfterMs: number;
  /** A fenced primary stops its application for good after this long. */
  readonly giveUpAfterMs: number;
  /** How long an orderly stop waits for the peer's answer. */
  readonly stopWaitMs: number;
  /** How long a primary that released its epoch waits for a successor before it asks again. */
  readonly releaseWaitMs: number;
  /** Least time between two attempts to bring the peer back: a flapping link must not thrash. */
  readonly resyncHoldOffMs: number;
  /** A node whose disk failed, and that leads nothing, tries it again after this long. */
  readonly faultRetryMs: number;
};

/** The part of a lease that its holder counts: it must end first while clocks drift by 5 %. */
export const HOLDER_SHARE = 0.9;

const COMMON = {
  handicapMs: 200,
  witnessLeaseMs: 6000,
  witnessMarginMs: 300,
  voteTimeoutMs: 2000,
  voteRetryMs: 500,
  witnessAwayAfterMs: 3000,
  witnessCheckMs: 20_000,
  replTimeoutMs: 2000,
  bootWaitMs: 10_000,
  hangAfterMs: 10_000,
  giveUpAfterMs: 30_000,
  stopWaitMs: 5000,
  releaseWaitMs: 5000,
  resyncHoldOffMs: 5000,
  faultRetryMs: 60_000,
} as const;

/** `fast` for quiet hosts, `default` for cloud VMs, `tolerant` for live migration and overload. */
export const TIMER_PROFILES = {
  fast: { ...COMMON, heartbeatMs: 100, detectAfterMs: 600, peerLeaseMs: 900, handicapMs: 100 },
  default: { ...COMMON, heartbeatMs: 200, detectAfterMs: 1500, peerLeaseMs: 2000 },
  tolerant: { ...COMMON, heartbeatMs: 1000, detectAfterMs: 10_000, peerLeaseMs: 15_000 },
} as const satisfies Record<string, QuorumTimers>;

export type TimerProfile = keyof typeof TIMER_PROFILES;

/** Which two timers contradict each other, and the sentence for the person who set them. */
export type TimerConflict = {
  readonly first: keyof QuorumTimers;
  readonly second: keyof QuorumTimers;
  readonly message: string;
};

type Rule = {
  readonly first: keyof QuorumTimers;
  readonly second: keyof QuorumTimers;
  readonly holds: (t: QuorumTimers) => boolean;
  readonly because: string;
};

const RULES: readonly Rule[] = [
  {
    first: "heartbeatMs",
    second: "detectAfterMs",
    holds: (t) => t.heartbeatMs * 3 <= t.detectAfterMs,
    because: "one lost heartbeat must not look like a lost node: detect after at least three",
  },
  {
    first: "detectAfterMs",
    second: "peerLeaseMs",
    holds: (t) => t.detectAfterMs < t.peerLeaseMs * HOLDER_SHARE,
    because: "a primary must ask the witness before 0.9 of its peer's lease has run out",
  },
  {
    first: "handicapMs",
    second: "peerLeaseMs",
    holds: (t) => t.handicapMs <= 300 && t.handicapMs < t.peerLeaseMs,
    because: "the handicap delays every failover: at most 300 ms and less than the lease",
  },
  {
    first: "witnessMarginMs",
    second: "witnessLeaseMs",
    holds: (t) => t.witnessMarginMs < t.witnessLeaseMs,
    because: "a margin as long as the lease doubles every takeover",
  },
  {
    first: "voteRetryMs",
    second: "witnessLeaseMs",
    holds: (t) => t.voteRetryMs * 4 <= t.witnessLeaseMs,
    because: "a grant must be renewed several times before it ends",
  },
  {
    first: "detectAfterMs",
    second: "giveUpAfterMs",
    holds: (t) => t.detectAfterMs < t.giveUpAfterMs,
    because: "a fenced primary would kill its application before it could judge its peer",
  },
  {
    first: "peerLeaseMs",
    second: "giveUpAfterMs",
    holds: (t) => t.peerLeaseMs < t.giveUpAfterMs,
    because: "a fenced primary needs time to hear from its peer again",
  },
  {
    first: "detectAfterMs",
    second: "bootWaitMs",
    holds: (t) => t.detectAfterMs <= t.bootWaitMs,
    because: "a booting node must be able to hear its peer before it asks for itself",
  },
  {
    first: "voteTimeoutMs",
    second: "witnessLeaseMs",
    // A holder asks for the next grant when two thirds of its share are left.
    holds: (t) => t.voteTimeoutMs + t.voteRetryMs < t.witnessLeaseMs * HOLDER_SHARE * (2 / 3),
    because: "an attempt without an answer must be given up and repeated before the grant ends",
  },
  {
    first: "voteTimeoutMs",
    second: "witnessAwayAfterMs",
    holds: (t) => t.voteTimeoutMs <= t.witnessAwayAfterMs,
    because: "the witness counts as away only after an attempt was given up",
  },
  {
    first: "witnessAwayAfterMs",
    second: "giveUpAfterMs",
    holds: (t) => t.witnessAwayAfterMs < t.giveUpAfterMs,
    because: "the pair must be able to decide without the witness before a fenced primary gives up",
  },
  {
    first: "witnessAwayAfterMs",
    second: "bootWaitMs",
    holds: (t) => t.witnessAwayAfterMs <= t.bootWaitMs,
    because: "a booting node must know whether the witness is there before it loses patience",
  },
  {
    first: "heartbeatMs",
    second: "stopWaitMs",
    holds: (t) => t.heartbeatMs * 4 <= t.stopWaitMs,
    because: "an orderly stop needs a question and an answer by heartbeat, one of each may be lost",
  },
  {
    first: "heartbeatMs",
    second: "releaseWaitMs",
    holds: (t) => t.heartbeatMs * 4 <= t.releaseWaitMs,
    because: "the successor must hear of the release before the old primary asks again",
  },
  {
    first: "voteTimeoutMs",
    second: "releaseWaitMs",
    holds: (t) => t.voteTimeoutMs <= t.releaseWaitMs,
    because: "the successor needs one attempt at the witness before the old primary asks again",
  },
];

/** Checks all timers together; call it when a configuration is loaded. */
export function checkTimers(timers: QuorumTimers): Result<QuorumTimers, TimerConflict> {
  for (const name of timerNames) {
    if (!Number.isFinite(timers[name]) || timers[name] <= 0) {
      return err({ first: name, second: name, message: `${name} must be a positive time` });
    }
  }
  for (const rule of RULES) {
    if (rule.holds(timers)) continue;
    const values = `${rule.first} ${timers[rule.first]} and ${rule.second} ${timers[rule.second]}`;
    const message = `${values} contradict each other: ${rule.because}`;
    return err({ first: rule.first, second: rule.second, message });
  }
  return ok(timers);
}

const timerNames = [
  "heartbeatMs",
  "detectAfterMs",
  "peerLeaseMs",
  "handicapMs",
  "witnessLeaseMs",
  "witnessMarginMs",
  "voteTimeoutMs",
  "voteRetryMs",
  "witnessAwayAfterMs",
  "witnessCheckMs",
  "replTimeoutMs",
  "bootWaitMs",
  "hangAfterMs",
  "giveUpAfterMs",
  "stopWaitMs",
  "releaseWaitMs",
  "resyncHoldOffMs",
  "faultRetryMs",
] as const satisfies readonly (keyof QuorumTimers)[];

/**
 * `<heart pulse timeout>` of a module's file: the pulse and the silence that means loss. One link
 * carries the heartbeats of all modules, at the profile's pace: a slower pulse is kept to with ease,
 * a faster one cannot be had, so silence is judged by the profile's.
 */
export function timersFromHeart(
  base: QuorumTimers,
  heart: { readonly pulseMs: number | null; readonly timeoutMs: number | null },
): QuorumTimers {
  const heartbeatMs = Math.max(heart.pulseMs ?? 0, base.heartbeatMs);
  const detectAfterMs = heart.timeoutMs ?? base.detectAfterMs;
  const orderly = {
    stopWaitMs: Math.max(base.stopWaitMs, heartbeatMs * 4),
    releaseWaitMs: Math.max(base.releaseWaitMs, heartbeatMs * 4),
  };
  if (heart.timeoutMs === null) return { ...base, ...orderly, heartbeatMs };
  // The lease keeps the default profile's proportion of 4 to 3, and the waits above it grow along.
  const peerLeaseMs = Math.ceil((detectAfterMs * 4) / 3);
  return {
    ...base,
    ...orderly,
    heartbeatMs,
    detectAfterMs,
    peerLeaseMs,
    handicapMs: Math.min(base.handicapMs, Math.floor(peerLeaseMs / 5)),
    bootWaitMs: Math.max(base.bootWaitMs, detectAfterMs),
    giveUpAfterMs: Math.max(base.giveUpAfterMs, peerLeaseMs * 2),
  };
}
