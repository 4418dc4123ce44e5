import { connect } from "node:net";
import type { TcpCheck } from "#model/module/config.ts";
import { type CheckResult, down, type PolledChecker, unknown, up } from "./checker.ts";

/** A refused connection is tried once more after this long: one lost packet is not a fault. */
const AGAIN_MS = 1_000;

/** Does the port accept connections? Nothing is sent; the connection is closed at once. */
export function tcpChecker(check: Pick<TcpCheck, "addr" | "port" | "intervalMs" | "timeoutMs">) {
  return {
    intervalMs: check.intervalMs,
    async check(signal: AbortSignal): Promise<CheckResult> {
      const first = await attempt(check, signal);
      if (first.status !== "down") return first;
      if (!(await pause(Math.min(AGAIN_MS, check.intervalMs), signal))) return unknown("cancelled");
      return await attempt(check, signal);
    },
  } satisfies PolledChecker;
}

function attempt(
  check: Pick<TcpCheck, "addr" | "port" | "timeoutMs">,
  signal: AbortSignal,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: check.addr, port: check.port });
    const finish = (result: CheckResult): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve(result);
    };
    const onAbort = (): void => finish(unknown("cancelled"));
    const timer = setTimeout(() => finish(down("no answer in time")), check.timeoutMs);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return finish(unknown("cancelled"));
    socket.once("connect", () => finish(up("connected")));
    socket.once("error", (error: NodeJS.ErrnoException) => finish(down(error.code ?? "failed")));
  });
}

/** False when the wait was cancelled. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return await new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const finish = (isOver: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(isOver);
    };
    const onAbort = (): void => finish(false);
    const timer = setTimeout(() => finish(true), ms);
    signal.addEventListener("abort", onAbort);
  });
}
