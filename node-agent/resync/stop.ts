/**
 * The end of a run from deep within it: thrown where it is noticed, caught once at the top
 * (`outcomeOf`) and returned as a Result, so that no loop in between has to hand it on.
 */
import { err, type Result } from "#model/shared/result.ts";
import { ChannelClosed, type ResyncError } from "./resync.ts";
import { FileFailure } from "./tree.ts";

export class Stop extends Error {
  override readonly name = "Stop";
  readonly error: ResyncError;

  constructor(error: ResyncError) {
    super(error.kind);
    this.error = error;
  }
}

/** What `run` returns, or the expected failure that ended it; bugs go on up. */
export function outcomeOf<T>(
  fileFault: "sourceFault" | "targetFault",
  run: () => Result<T, ResyncError>,
): Result<T, ResyncError> {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof Stop) return err(thrown.error);
    if (thrown instanceof ChannelClosed) return err({ kind: "channelClosed" });
    if (thrown instanceof FileFailure) {
      const { errno, operation, place } = thrown;
      return err({ kind: fileFault, errno, operation, place });
    }
    throw thrown;
  }
}
