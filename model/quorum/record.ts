import type { Epoch, ModuleId, NodeId, UnixMs } from "../shared/ids.ts";
import type { DiskReport } from "./disk.ts";

/** The witness's own time-limited vote, on the witness's clock. */
export type WitnessGrant = {
  readonly holder: NodeId;
  readonly epoch: Epoch;
  readonly expiresAtMs: UnixMs;
};

/** A data node's last granted request: a repeat of it gets the same answer, and changes nothing. */
export type GrantedRequest = { readonly nodeId: NodeId; readonly id: string };

/** What a data node told a witness that lost its memory. */
export type NodeReport = { readonly nodeId: NodeId; readonly disk: DiskReport };

/**
 * The one small record that the witness stores per mirror module, changed by conditional writes on
 * `version` only. It is what makes two yeses to two nodes impossible.
 */
export type WitnessRecord = {
  readonly moduleId: ModuleId;
  /** Incarnation of the store that wrote it: another one means that the store was restored. */
  readonly storeId: string;
  /** Raised by every granted request, and by a refusal that only the passing of time would lift. */
  readonly version: number;
  /** Fencing token: grows at every change of primary, is never reused. 0 = no primary ever. */
  readonly epoch: Epoch;
  /** A forced primary starts a new history; equal epochs of two histories are never merged. */
  readonly historyId: string | null;
  readonly primary: NodeId | null;
  /** The nodes that hold every acknowledged write, sorted. Holds `primary` whenever there is one. */
  readonly inSync: readonly NodeId[];
  readonly grant: WitnessGrant | null;
  /** Sorted by node. */
  readonly requests: readonly GrantedRequest[];
  /** True after the store was wiped or restored: promotes nobody until every node has reported. */
  readonly isRecovering: boolean;
  /** Reports gathered while recovering, sorted by node. */
  readonly reports: readonly NodeReport[];
};
