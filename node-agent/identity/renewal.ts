import { setTimeout as sleep } from "node:timers/promises";
import type { EnrolAnswer } from "#model/contract/enrolment.ts";
import type { UnixMs } from "#model/shared/ids.ts";
import type { Result } from "#model/shared/result.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { type NodeIdentity, storeIdentity } from "./identity-store.ts";

/** A renewal that failed is tried again after this long: days are left when the first one is due. */
const RETRY_MS = 60_000;
/** Longest sleep: a timer of days is cut by a suspended machine or a stepped clock. */
const SLEEP_MS_MAX = 600_000;

/** A certificate is renewed at half of its life, so that a week-long outage can still be healed. */
export const renewalDueMs = ({ notBeforeMs, notAfterMs }: NodeIdentity): UnixMs =>
  notBeforeMs + (notAfterMs - notBeforeMs) / 2;

export type RenewalPorts = {
  readonly nowMs: () => UnixMs;
  readonly stateDirectory: string;
  readonly renew: (csr: string) => Promise<Result<EnrolAnswer, unknown>>;
  /** The new identity is on the disk: use it for connections from now on. */
  readonly onRenewed: (identity: NodeIdentity) => void;
  readonly signal: AbortSignal;
};

/** One renewal with the same key. Null: it failed, and the present certificate stays. */
async function renewOnce(
  identity: NodeIdentity,
  ports: Pick<RenewalPorts, "stateDirectory" | "renew">,
): Promise<NodeIdentity | null> {
  const csr = await createCertificateRequest(identity.keyPem, identity.nodeId);
  const answered = await ports.renew(csr);
  if (!answered.ok) return null;
  const { certificate, caCertificate, notBeforeMs, notAfterMs } = answered.value;
  const renewed: NodeIdentity = {
    ...identity,
    certificatePem: certificate,
    caPem: caCertificate,
    notBeforeMs,
    notAfterMs,
  };
  await storeIdentity(ports.stateDirectory, renewed);
  return renewed;
}

/** Keeps this node's certificate fresh until `signal` ends. Never rejects. */
export async function keepCertificateFresh(
  identity: NodeIdentity,
  ports: RenewalPorts,
): Promise<void> {
  let present = identity;
  while (!ports.signal.aborted) {
    const waitMs = Math.min(SLEEP_MS_MAX, renewalDueMs(present) - ports.nowMs());
    if (waitMs > 0) {
      await sleep(waitMs, undefined, { signal: ports.signal, ref: false }).catch(() => {});
      continue;
    }
    const renewed = await renewOnce(present, ports).catch(() => null);
    if (renewed === null) {
      await sleep(RETRY_MS, undefined, { signal: ports.signal, ref: false }).catch(() => {});
      continue;
    }
    present = renewed;
    ports.onRenewed(renewed);
  }
}
