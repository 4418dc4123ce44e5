/**
 * Names of things and units of time, as every folder uses them. They are plain strings and
 * numbers: the words carry the meaning, and the wire schemas (model/contract) check the form.
 */

/** A node's name in its cluster, e.g. `node1`: `[a-z0-9][a-z0-9.-]{0,62}`, the same on every network. */
export type NodeId = string;
/** A module's name in its cluster, e.g. `shop`: `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`. */
export type ModuleId = string;
/** A cluster's name: same form as a node's. */
export type ClusterId = string;
/** The fencing number of a module: rises at every change of primary, never reused. 0 = before the first primary. */
export type Epoch = number;

/** Milliseconds since 1970 on some wall clock. For people and logs; no decision of safety rests on it. */
export type UnixMs = number;
/** Milliseconds on this machine's CLOCK_BOOTTIME (Linux clock_gettime(2)): runs on through suspend, never steps. */
export type BootMs = number;
