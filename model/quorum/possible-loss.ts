import type { NodeId, UnixMs } from "../shared/ids.ts";
import { utcText } from "../shared/utc-text.ts";

/**
 * What a person may lose by making a node primary that is not its turn: in numbers where somebody
 * noted them, and "cannot tell" where nobody did. Nothing here is estimated.
 *
 * The beginning of what a copy lacks is known from two notes, both made *before* the first write
 * that it lacks was acknowledged: the node's own, when it promised by a standing vote that it is
 * out of the set, and the witness's, when it recorded a set without it. The earlier one counts. A
 * node that fell silent may have promised after its last word, so that word counts too. How
 * much was changed since is known from the last report of the node that went on alone.
 */
export type PossibleLoss = {
  /** `none`: holds every acknowledged write. `since`: lacks what came after. `unknown`: nobody knows. */
  readonly kind: "none" | "since" | "unknown";
  readonly sinceMs: UnixMs | null;
  /** Changes of files, and bytes written, by the node that went on alone, as of its last report. */
  readonly changes: number | null;
  readonly bytes: number | null;
  /** The moment of that report. */
  readonly asOfMs: UnixMs | null;
  /** The same as one sentence. */
  readonly text: string;
};

/** All times on one clock. */
export type LossFacts = {
  readonly node: NodeId;
  /** The witness's record, or what the node itself knows where the witness cannot be asked. */
  readonly record: {
    readonly inSync: readonly NodeId[];
    readonly historyId: string | null;
    /** When the witness recorded a set without this node; null = not noted. */
    readonly leftAtMs: UnixMs | null;
  } | null;
  /** What the node said of its own copy, last; null = it never reported. */
  readonly own: {
    readonly epoch: number;
    readonly historyId: string | null;
    readonly outdated: boolean;
    readonly isUnclean: boolean;
    /** A resync of it did not end: older and newer files, and parts of files, side by side. */
    readonly isHalfWritten?: boolean;
    /** When it promised that it is out of the set. */
    readonly outdatedSinceMs: UnixMs | null;
    /** The moment of this word of it. */
    readonly saidAtMs?: UnixMs;
    /** No later word of it came in time: it may have promised since. */
    readonly isSilent?: boolean;
  } | null;
  /** What other nodes changed without it, as of their last reports. */
  readonly alone: readonly {
    readonly nodeId: NodeId;
    readonly changes: number;
    readonly bytes: number;
    readonly asOfMs: UnixMs;
  }[];
};

const NOTHING = { sinceMs: null, changes: null, bytes: null, asOfMs: null } as const;
const unknown = (text: string): PossibleLoss => ({ ...NOTHING, kind: "unknown", text });

export function possibleLoss({ node, record, own, alone }: LossFacts): PossibleLoss {
  if (own === null) return unknown(`${node} has never reported: what it lacks, nobody can tell.`);
  if (own.isHalfWritten === true) return halfWritten(node);
  if (record === null) return unknown(`No record says what was acknowledged: nobody can tell.`);
  if (own.epoch === 0) {
    return unknown(`${node} knows of no primary, its state is new or lost: nobody can tell.`);
  }
  if (own.historyId !== record.historyId) {
    return unknown(`The copy on ${node} is of another history: what it lacks, nobody can tell.`);
  }
  if (record.inSync.includes(node) && !own.outdated) {
    if (own.isUnclean) {
      return unknown(
        `The OS of ${node} died: what only its memory held is gone; how much, nobody can tell.`,
      );
    }
    if (own.isSilent === true) {
      return unknown(
        `${node} held every write when it last spoke, and is silent: what it lacks by now, nobody can tell.`,
      );
    }
    const set = record.inSync.join(", ");
    return {
      ...NOTHING,
      kind: "none",
      text: `${node} is in the in-sync set {${set}}: it lacks nothing.`,
    };
  }
  const notes = [own.outdatedSinceMs, record.leftAtMs].filter((at) => at !== null);
  if (notes.length === 0) {
    return unknown(`${node} may lack acknowledged writes; since when, nobody has noted.`);
  }
  const saidWhole = own.outdated || own.saidAtMs === undefined ? [] : [own.saidAtMs];
  return since(node, Math.min(...notes, ...saidWhole), alone);
}

const halfWritten = (node: NodeId): PossibleLoss =>
  unknown(
    `The copy on ${node} is half-written, as its resync did not end: it is a mix of older and newer ` +
      "files, and what is lost by it, nobody can tell.",
  );

function since(node: NodeId, sinceMs: UnixMs, alone: LossFacts["alone"]): PossibleLoss {
  const what = `${node} may lack what was acknowledged after ${utcText(sinceMs)}`;
  // A report from before says nothing of what came after.
  const [told] = alone.filter((one) => one.asOfMs >= sinceMs && one.changes > 0);
  if (told === undefined) {
    return { ...NOTHING, kind: "since", sinceMs, text: `${what}; how much, nobody has noted.` };
  }
  const { nodeId, changes, bytes, asOfMs } = told;
  const amount = `${changes} changes (${bytes} bytes written)`;
  const text = `${what}: by its report of ${utcText(asOfMs)}, ${nodeId} had made ${amount} alone.`;
  return { kind: "since", sinceMs, changes, bytes, asOfMs, text };
}

/** Data nodes that are out of the recorded set, and since when, on the witness's clock. */
export type Leavers = readonly { readonly nodeId: NodeId; readonly atMs: UnixMs }[];

type Recorded = {
  readonly inSync: readonly NodeId[];
  readonly storeId: string;
  readonly isRecovering: boolean;
};

/**
 * Kept beside the witness's record. Only a set that the witness itself made smaller has a moment:
 * one that it adopted or rebuilt became smaller before, and nobody noted when.
 */
export function leaversAfter(
  leavers: Leavers,
  was: Recorded | null,
  now: Recorded,
  isAdopted: boolean,
  nowMs: UnixMs,
): Leavers {
  const isOwn = was?.storeId === now.storeId && !was.isRecovering && !isAdopted;
  if (!isOwn) return [];
  const left = was.inSync.filter((nodeId) => !now.inSync.includes(nodeId));
  const known = leavers.filter(({ nodeId }) => !now.inSync.includes(nodeId));
  return [...known, ...left.map((nodeId) => ({ nodeId, atMs: nowMs }))];
}

/**
 * What the node itself can say, asked on it while nobody else can be: that it is in the set as it
 * last heard of it proves nothing, as the other node may have gone on without it since.
 */
export function lossByOwnWord(node: NodeId, own: NonNullable<LossFacts["own"]>): PossibleLoss {
  if (own.isHalfWritten === true) return halfWritten(node);
  if (own.outdatedSinceMs !== null) return since(node, own.outdatedSinceMs, []);
  if (own.outdated || own.epoch === 0) {
    return unknown(`${node} may lack acknowledged writes; since when, it has not noted.`);
  }
  const heard = `${node} held every write when it last heard of the set`;
  return unknown(`${heard}; whether another node went on without it, it cannot tell.`);
}
