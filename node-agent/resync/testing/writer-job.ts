/** What an application thread (writer-worker.ts) and its starter (writer.ts) tell each other. */
import type { MessagePort } from "node:worker_threads";
import type { FileChange, InodeKey } from "#model/replication/dirty-set.ts";

export type WriterJob = {
  readonly root: string;
  readonly seed: number;
  readonly steps: number;
  readonly reports: MessagePort;
  readonly signals: Int32Array<SharedArrayBuffer>;
};

/** Places in `signals`: the number of the pause asked for (0: none), of the one kept, a counter, a delay. */
export const WRITER = { pauseAsked: 0, paused: 1, stepsDone: 2, slowMs: 3 } as const;

export type Report =
  | { readonly kind: "file"; readonly path: Uint8Array; readonly change: FileChange }
  | { readonly kind: "directory"; readonly path: Uint8Array }
  | { readonly kind: "renamed"; readonly from: Uint8Array; readonly to: Uint8Array }
  | { readonly kind: "inode" | "lostName"; readonly inode: InodeKey }
  | { readonly kind: "subtree"; readonly path: Uint8Array };
