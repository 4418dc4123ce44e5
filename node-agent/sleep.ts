/** Waits that end early when the agent does. */
export type Sleep = (durationMs: number, signal: AbortSignal) => Promise<void>;

export const sleep: Sleep = (durationMs, signal) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      // The signal lives as long as the agent: what is not taken off stays on it for ever.
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end);
  });

export const describeError = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
