import { createPublicKey, verify } from "node:crypto";

/** `publicKey`: SubjectPublicKeyInfo, DER in base64. ECDSA as WebCrypto writes it (IEEE P1363). */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  const key = createPublicKey({
    key: Buffer.from(publicKey, "base64"),
    format: "der",
    type: "spki",
  });
  const bytes = Buffer.from(signature, "base64url");
  return verify("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, bytes);
}
