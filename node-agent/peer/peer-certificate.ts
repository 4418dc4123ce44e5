import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { nodeUri } from "#model/contract/enrolment.ts";
import type { ClusterId, NodeId } from "#model/shared/ids.ts";

/** Whom we expect at the other end. */
export type ExpectedPeer = { readonly clusterId: ClusterId; readonly peerId: NodeId };

/**
 * Is the peer of this connection that node? TLS has checked that the cluster's CA signed its
 * certificate; this checks for whom. One CA may serve several clusters, so the DNS name alone does
 * not do: the URI names cluster and node (RFC 6125 §6.4 on matching names in SAN, never in CN).
 * Null: yes; else a sentence.
 */
export function strangerReason(socket: TLSSocket, expected: ExpectedPeer): string | null {
  if (!socket.authorized) return "its certificate is not signed by this cluster's CA";
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return "it has no certificate";
  return namesNode(certificate, expected) ? null : `its certificate is not ${expected.peerId}'s`;
}

function namesNode(certificate: X509Certificate, { clusterId, peerId }: ExpectedPeer): boolean {
  // Node quotes names with separators in them (as JSON), so a split part is a whole name.
  const names = (certificate.subjectAltName ?? "").split(", ");
  const dnsName = certificate.checkHost(peerId, { subject: "never", wildcards: false });
  return dnsName === peerId && names.includes(`URI:${nodeUri(clusterId, peerId)}`);
}
