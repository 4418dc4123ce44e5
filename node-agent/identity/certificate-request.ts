import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from "node:crypto";

/** A new P-256 private key, PKCS#8 PEM. */
export function createNodeKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/**
 * A certificate request (PKCS#10, RFC 2986) for this key. Its name is a courtesy: the control plane
 * takes the names from the token or from the node's present certificate.
 */
export async function createCertificateRequest(keyPem: string, name: string): Promise<string> {
  // Loaded here: only enrolment and renewal need it, and it costs 0.1 s and its memory. It reads
  // decorator metadata, so that import comes first.
  await import("reflect-metadata");
  const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const key = createPrivateKey(keyPem);
  const [pkcs8, spki] = [
    key.export({ type: "pkcs8", format: "der" }),
    createPublicKey(key).export({ type: "spki", format: "der" }),
  ];
  const { subtle } = webcrypto;
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: `CN=${name}`,
      keys: {
        privateKey: await subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
        publicKey: await subtle.importKey("spki", spki, algorithm, true, ["verify"]),
      },
      signingAlgorithm: algorithm,
    },
    webcrypto,
  );
  return request.toString("pem");
}
