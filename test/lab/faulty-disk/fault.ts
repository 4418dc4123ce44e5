/**
 * What a faulty disk does. Words in memory that the thread which serves it shares with the one that
 * listens to orders, because a thread that hangs on purpose hears nothing.
 */

export const DISK_FAULTS = ["ok", "eio", "slow", "hang"] as const;
/** `eio`: every call fails; `slow`: each takes longer; `hang`: none ends before another order. */
export type DiskFault =
  | { readonly kind: "ok" | "eio" | "hang" }
  | { readonly kind: "slow"; readonly delayMs: number };

/**
 * An order, one JSON line on the control socket, answered by one line. `lose` throws away what was
 * written and not flushed, as a disk's volatile cache is lost with the power.
 */
export type DiskOrder = DiskFault | { readonly kind: "lose" | "quit" };

/** Positions in the shared words. */
export const WORD = { fault: 0, delayMs: 1, lose: 2, lost: 3 } as const;
export const WORDS = 4;
