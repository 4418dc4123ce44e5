import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { nodeUri } from "#model/contract/enrolment.ts";
import type { ClusterId, NodeId } from "#model/shared/ids.ts";
import type { LinkIdentity } from "../../peer/link.ts";

/** A certificate authority for tests: real certificates of real keys, as a cluster's CA makes them. */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;
x509.cryptoProvider.set(webcrypto);

/** What is in a test certificate. */
export type LeafOptions = {
  readonly names: readonly x509.JsonGeneralName[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
};

export class TestAuthority {
  readonly caPem: string;
  readonly #ca: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;
  #serial = 1;

  private constructor(ca: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#ca = ca;
    this.#keys = keys;
    this.caPem = ca.toString("pem");
  }

  static async create(name = "CN=test cluster"): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const ca = await x509.X509CertificateGenerator.createSelfSigned({
      name,
      keys,
      serialNumber: "01",
      notBefore: new Date(Date.now() - HOUR_MS),
      notAfter: new Date(Date.now() + HOUR_MS),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new TestAuthority(ca, keys);
  }

  /** SHA-256 of the CA certificate's DER, as an enrolment token carries it. */
  get fingerprint(): string {
    return new X509Certificate(this.caPem).fingerprint256.replaceAll(":", "").toLowerCase();
  }

  /** A certificate for this public key. */
  async sign(publicKey: x509.PublicKeyType, options: LeafOptions): Promise<string> {
    this.#serial += 1;
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: this.#serial.toString(16).padStart(2, "0"),
      issuer: this.#ca.subject,
      subject: "CN=leaf",
      notBefore: options.notBefore ?? new Date(Date.now() - HOUR_MS),
      notAfter: options.notAfter ?? new Date(Date.now() + HOUR_MS),
      signingAlgorithm: ALGORITHM,
      publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension([...options.names]),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
      ],
    });
    return leaf.toString("pem");
  }

  /** A fresh key with a certificate of these names. */
  async issue(options: LeafOptions): Promise<LinkIdentity> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    const keyPem = x509.PemConverter.encode(pkcs8, "PRIVATE KEY");
    return {
      keyPem,
      certificatePem: await this.sign(keys.publicKey, options),
      caPem: this.caPem,
    };
  }

  /** The identity of a node, as the control plane would issue it. */
  issueNode(clusterId: ClusterId, nodeId: NodeId): Promise<LinkIdentity> {
    return this.issue({
      names: [
        { type: "dns", value: nodeId },
        { type: "url", value: nodeUri(clusterId, nodeId) },
      ],
    });
  }
}
