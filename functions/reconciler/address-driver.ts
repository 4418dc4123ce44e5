/**
 * The port behind which an address is moved, whatever carries it: an interface of a node, a proxy,
 * a cloud's route or secondary address. A driver is asked to look, to make one step, and is looked
 * at again; it remembers nothing between calls, so it may be killed between any two.
 */

/** Where the record wants the address, and the fencing token under which that was decided. */
export interface AddressWant {
  readonly clusterId: string;
  readonly moduleId: string;
  readonly epoch: number;
  /** The primary. */
  readonly nodeId: string;
  /** Where the primary is reached on the cluster's first network; null when not known. */
  readonly nodeAddress: string | null;
  /** All nodes of the module. */
  readonly nodes: readonly string[];
}

/**
 * What is, compared with what is wanted. `unknown` is no answer at all (a timeout, no fresh
 * report): neither a success nor a reason to act.
 */
export interface Observation {
  readonly kind: "agrees" | "differs" | "unknown";
  readonly address: string | null;
  readonly text: string;
}

/** `waits`: a person must act first, so repeating soon is of no use. */
export interface Step {
  readonly kind: "done" | "retry" | "waits";
  readonly text: string;
}

export interface AddressDriver {
  readonly kind: string;
  observe(want: AddressWant): Promise<Observation>;
  /** One step towards `want`. Must be harmless when repeated, and when it is already so. */
  step(want: AddressWant): Promise<Step>;
}
