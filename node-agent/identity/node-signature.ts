import { createPrivateKey, type KeyObject, sign, verify, X509Certificate } from "node:crypto";

/**
 * What a node signs by its key: requests to the control plane, pair decisions, releases. ECDSA
 * P-256 with SHA-256, as IEEE P1363 (r‖s, 64 bytes) in base64url: what WebCrypto makes too.
 */
const ENCODING = "ieee-p1363";

/** Parses a node's private key once, as signing parses it each time otherwise. */
export const signingKey = (keyPem: string): KeyObject => createPrivateKey(keyPem);

/** The signature of a text, 86 characters. */
export const signText = (text: string, key: KeyObject): string =>
  sign("sha256", Buffer.from(text, "utf8"), { key, dsaEncoding: ENCODING }).toString("base64url");

/** Did the holder of this certificate's key sign exactly this text? */
export function isSignedBy(text: string, signature: string, certificatePem: string): boolean {
  try {
    const { publicKey } = new X509Certificate(certificatePem);
    const bytes = Buffer.from(signature, "base64url");
    return verify(
      "sha256",
      Buffer.from(text, "utf8"),
      { key: publicKey, dsaEncoding: ENCODING },
      bytes,
    );
  } catch {
    // A signature or certificate of any other form proves nothing.
    return false;
  }
}
