/**
 * Reads a request's body up to a bound. The length that a client declares is believed only when it
 * is too large; what counts is what arrives.
 */
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

const EMPTY = new Uint8Array(0);

/** The bytes, or `tooLarge` as soon as there is one more than `bytesMax`. */
export async function readBody(
  request: Request,
  bytesMax: number,
): Promise<Result<Uint8Array, ApiFailure>> {
  const tooLarge = failure("tooLarge", `the body may have ${bytesMax} bytes at most`);
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) return err(tooLarge);
  if (request.body === null) return ok(EMPTY);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > bytesMax) {
        await reader.cancel();
        return err(tooLarge);
      }
      chunks.push(value);
    }
  } catch {
    return err(failure("badRequest", "the body broke off"));
  }
  return ok(chunks.length === 0 ? EMPTY : Buffer.concat(chunks, bytes));
}
