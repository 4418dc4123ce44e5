/**
 * The cluster's certificate authority. Agents trust nothing else: a node's certificate says which
 * node of which cluster holds a key, and its seven days bound what a stolen one is worth. X.509 as
 * in RFC 5280, P-256 throughout.
 */
// The certificate library reads decorator metadata, so this import comes before it.
import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { CERTIFICATE_DAYS, CONTROL_PLANE_DNS_NAME, nodeUri } from "#model/contract/enrolment.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGN = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3_600_000;
const CA_DAYS = 3650;
/** A node's clock may be behind ours by this much and still find its new certificate valid. */
const BACKDATE_MS = 5 * 60_000;

interface IssuedCertificate {
  readonly certificatePem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}
/** What a request for a certificate proved: that its sender holds this key. */
export interface ProvenKey {
  readonly csr: Pkcs10CertificateRequest;
  /** SubjectPublicKeyInfo, DER in base64. */
  readonly publicKey: string;
}
interface ServerCertificate extends IssuedCertificate {
  readonly keyPem: string;
}
export interface CertificateAuthority {
  readonly certificatePem: string;
  /** SHA-256 of the certificate's DER, hex: what enrolment tokens carry. */
  readonly fingerprint: string;
  issueForNode(clusterId: string, nodeId: string, key: ProvenKey): Promise<IssuedCertificate>;
  /** A fresh key and certificate for the listener that agents call. */
  issueForListener(names: readonly string[]): Promise<ServerCertificate>;
}

/** The CA's own key and certificate, as kept in files of mode 0600. */
export interface CaMaterial {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** Makes a new CA. Done once per control plane: replacing it means to enrol every node again. */
export async function createCa(nowMs: number): Promise<CaMaterial> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: "CN=Mirrorfarm cluster CA",
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
    signingAlgorithm: SIGN,
    keys,
    extensions: [
      // No further CA below this one (pathLenConstraint 0).
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    keyPem: await privateKeyPem(keys.privateKey),
    certificatePem: certificate.toString("pem"),
  };
}

/** The CA at work. */
export async function openCa(
  material: CaMaterial,
  nowMs: () => number,
): Promise<CertificateAuthority> {
  const ca = new X509Certificate(material.certificatePem);
  const signingKey = await importPrivateKey(material.keyPem);
  const issue = async (
    publicKey: webcrypto.CryptoKey,
    names: { type: "dns" | "ip" | "url"; value: string }[],
  ): Promise<IssuedCertificate> => {
    const notBeforeMs = nowMs() - BACKDATE_MS;
    const notAfterMs = nowMs() + CERTIFICATE_DAYS * DAY_MS;
    const certificate = await X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: `CN=${names[0]?.value ?? ""}`,
      issuer: ca.subject,
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notAfterMs),
      signingAlgorithm: SIGN,
      signingKey,
      publicKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        // Either end of the link between two agents may be the one that connects.
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(names),
        await SubjectKeyIdentifierExtension.create(publicKey),
        await AuthorityKeyIdentifierExtension.create(ca),
      ],
    });
    return { certificatePem: certificate.toString("pem"), notBeforeMs, notAfterMs };
  };
  return {
    certificatePem: material.certificatePem,
    fingerprint: createHash("sha256").update(new Uint8Array(ca.rawData)).digest("hex"),
    async issueForNode(clusterId, nodeId, { csr }) {
      return issue(await csr.publicKey.export(P256, ["verify"]), [
        { type: "dns", value: nodeId },
        { type: "url", value: nodeUri(clusterId, nodeId) },
      ]);
    },
    async issueForListener(extraNames) {
      const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
      const issued = await issue(keys.publicKey, [
        { type: "dns", value: CONTROL_PLANE_DNS_NAME },
        ...extraNames.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }) as const),
      ]);
      return { ...issued, keyPem: await privateKeyPem(keys.privateKey) };
    },
  };
}

/** Checks a certificate request: its own signature, and that the key is of the one kind we take. */
export async function proveKey(csrPem: string): Promise<Result<ProvenKey, string>> {
  try {
    const csr = new Pkcs10CertificateRequest(csrPem);
    const algorithm: { name: string; namedCurve?: string } = csr.publicKey.algorithm;
    if (algorithm.name !== "ECDSA" || algorithm.namedCurve !== "P-256") {
      return err("the key is not P-256");
    }
    if (!(await csr.verify())) return err("the request is not signed by its own key");
    return ok({ csr, publicKey: Buffer.from(csr.publicKey.rawData).toString("base64") });
  } catch {
    // The parser throws whatever its input makes it throw; all of it means the same to us.
    return err("not a certificate request");
  }
}

/** RFC 5280 4.1.2.2: positive, at most 20 octets, unpredictable. */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  const lines = der.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n");
}

async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
  return webcrypto.subtle.importKey("pkcs8", der, P256, false, ["sign"]);
}
