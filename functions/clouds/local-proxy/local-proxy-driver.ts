/**
 * The address is a port of a proxy process on this machine (proxy-main.ts): for trying things out
 * where no address can be moved. Same manners as a cloud driver: look, one step, look.
 */

import type {
  AddressDriver,
  AddressWant,
  Observation,
  Step,
} from "../../reconciler/address-driver.ts";
import { ProxyStatus } from "./proxy-contract.ts";

/** The proxy is on the same machine: slower than this, it hangs. */
const CALL_MS_MAX = 2_000;

export interface LocalProxyOptions {
  /** `http://127.0.0.1:PORT` of the proxy's admin port. */
  readonly adminUrl: string;
  readonly secret: string;
}

/** The driver over one proxy process. */
export const localProxyDriver = (options: LocalProxyOptions): AddressDriver => ({
  kind: "local-proxy",
  observe: (want) => observe(options, want),
  step: (want) => step(options, want),
});

async function call(
  { adminUrl, secret }: LocalProxyOptions,
  method: "GET" | "PUT",
  path: string,
  body?: string,
): Promise<{ status: number; body: unknown } | null> {
  try {
    const response = await fetch(`${adminUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(CALL_MS_MAX),
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: await response.json() };
  } catch {
    // Away, hung or talking nonsense: in each case nothing is known.
    return null;
  }
}

async function observe(options: LocalProxyOptions, want: AddressWant): Promise<Observation> {
  const answer = await call(options, "GET", "/targets");
  const status = ProxyStatus.safeParse(answer?.body);
  if (answer?.status !== 200 || !status.success) {
    return { kind: "unknown", address: null, text: "the proxy does not answer" };
  }
  const entry = status.data.targets.find((one) => one.module === want.moduleId);
  if (entry === undefined) {
    return { kind: "agrees", address: null, text: "the proxy has no port for this module" };
  }
  const { target, listen: address } = entry;
  if (target?.epoch === want.epoch && target.nodeId === want.nodeId) {
    return { kind: "agrees", address, text: `the proxy forwards to ${want.nodeId}` };
  }
  if (target !== null && target.epoch > want.epoch) {
    return { kind: "unknown", address, text: `the proxy knows epoch ${target.epoch} already` };
  }
  const text = `the proxy forwards to ${target?.nodeId ?? "nobody"}`;
  return { kind: "differs", address, text };
}

async function step(options: LocalProxyOptions, want: AddressWant): Promise<Step> {
  const { nodeAddress: host, epoch, nodeId, moduleId } = want;
  if (host === null) return { kind: "waits", text: `no address of ${nodeId} is configured` };
  const body = JSON.stringify({ epoch, nodeId, host });
  const answer = await call(options, "PUT", `/targets/${moduleId}`, body);
  if (answer === null) return { kind: "retry", text: "the proxy did not answer" };
  if (answer.status === 200) return { kind: "done", text: `told the proxy to use ${nodeId}` };
  return { kind: "retry", text: `the proxy answered ${answer.status}` };
}
