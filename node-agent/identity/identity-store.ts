import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { ClusterName, NodeName } from "#model/contract/common.ts";
import type { ClusterId, NodeId, UnixMs } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { writeFileDurably } from "../adapters/atomic-file.ts";
import { createNodeKey } from "./certificate-request.ts";

/**
 * Who this node is: a key that never leaves it, and a certificate of the cluster's CA that says
 * which node of which cluster holds that key. Kept in the state directory as `node.json`,
 * `node.key` (0600), `node.crt` and `ca.crt`.
 */
export type NodeIdentity = {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** Origin of the control plane's listener for agents. */
  readonly controlPlaneUrl: string;
  readonly keyPem: string;
  readonly certificatePem: string;
  /** One or more CA certificates: two while the CA is being replaced. */
  readonly caPem: string;
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
};

export type IdentityError =
  | { readonly kind: "notEnrolled" }
  | { readonly kind: "damaged"; readonly detail: string };

const NodeFile = z.strictObject({
  format: z.literal(1),
  clusterId: ClusterName,
  nodeId: NodeName,
  controlPlaneUrl: z.string().check(z.maxLength(300)),
});

const FILES = {
  node: "node.json",
  key: "node.key",
  certificate: "node.crt",
  ca: "ca.crt",
} as const;

/** Reads who this node is; checks that the parts belong together. */
export async function loadIdentity(
  stateDirectory: string,
): Promise<Result<NodeIdentity, IdentityError>> {
  const read = (name: string): Promise<string> => readFile(join(stateDirectory, name), "utf8");
  let texts: [string, string, string, string];
  try {
    texts = await Promise.all([
      read(FILES.node),
      read(FILES.key),
      read(FILES.certificate),
      read(FILES.ca),
    ]);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      return err({ kind: "notEnrolled" });
    }
    return err({ kind: "damaged", detail: String(cause) });
  }
  await closeKeyFile(join(stateDirectory, FILES.key));
  return combine(...texts);
}

/** Keeps it; safe on the disk when it resolves. The certificate last: it names the key. */
export async function storeIdentity(stateDirectory: string, identity: NodeIdentity): Promise<void> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const { clusterId, nodeId, controlPlaneUrl } = identity;
  const node = JSON.stringify({ format: 1, clusterId, nodeId, controlPlaneUrl }, null, 2);
  const path = (name: string): string => join(stateDirectory, name);
  writeFileDurably(path(FILES.key), identity.keyPem, 0o600);
  writeFileDurably(path(FILES.ca), identity.caPem, 0o644);
  writeFileDurably(path(FILES.node), `${node}\n`, 0o644);
  writeFileDurably(path(FILES.certificate), identity.certificatePem, 0o644);
}

/**
 * The key to enrol with: the one that is there (an enrolment whose answer was lost is repeated
 * with it), or a new one, safe on the disk before anybody is told of it.
 */
export async function loadOrCreateKey(stateDirectory: string): Promise<string> {
  const path = join(stateDirectory, FILES.key);
  try {
    const keyPem = await readFile(path, "utf8");
    createPrivateKey(keyPem);
    return keyPem;
  } catch {
    const keyPem = createNodeKey();
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    writeFileDurably(path, keyPem, 0o600);
    return keyPem;
  }
}

function combine(
  nodeText: string,
  keyPem: string,
  certificatePem: string,
  caPem: string,
): Result<NodeIdentity, IdentityError> {
  const damaged = (detail: string): Result<never, IdentityError> =>
    err({ kind: "damaged", detail });
  try {
    const node = NodeFile.safeParse(JSON.parse(nodeText));
    if (!node.success) return damaged(`${FILES.node} is malformed`);
    const certificate = new X509Certificate(certificatePem);
    const { clusterId, nodeId, controlPlaneUrl } = node.data;
    if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) {
      return damaged(`${FILES.key} is not the key of ${FILES.certificate}`);
    }
    if (certificate.checkHost(nodeId, { subject: "never" }) === undefined) {
      return damaged(`${FILES.certificate} is not ${nodeId}'s`);
    }
    return ok({
      clusterId,
      nodeId,
      controlPlaneUrl,
      keyPem,
      certificatePem,
      caPem,
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
    });
  } catch (cause) {
    return damaged(cause instanceof Error ? cause.message : String(cause));
  }
}

/** A copy or a restore may have opened the key file to others: close it again. */
async function closeKeyFile(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) await chmod(path, 0o600);
}
