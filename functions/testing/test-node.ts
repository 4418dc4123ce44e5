/** For tests: a node with a real key, enrolled by a real token, signing real requests. */
import "reflect-metadata";
import { createHash, KeyObject, randomBytes, sign, webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { EnrolAnswer, TokenAnswer } from "#model/contract/enrolment.ts";
import { canonicalRequest, SIGNATURE_HEADERS, signerName } from "#model/contract/signature.ts";
import { type Answer, call, type TestServer } from "./test-server.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** Parts of a signed request that a test may want to be wrong. */
export interface Tamper {
  readonly timeMs?: number;
  readonly nonce?: string;
  /** Sent instead of the body that was signed. */
  readonly body?: string;
  /** Called instead of the path that was signed. */
  readonly path?: string;
  readonly signer?: string;
}

export class TestNode {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly #server: TestServer;
  readonly #keys: webcrypto.CryptoKeyPair;
  #certificate: EnrolAnswer | null = null;

  private constructor(
    server: TestServer,
    clusterId: string,
    nodeId: string,
    keys: webcrypto.CryptoKeyPair,
  ) {
    this.#server = server;
    this.clusterId = clusterId;
    this.nodeId = nodeId;
    this.#keys = keys;
  }

  /** A node that is not enrolled yet. */
  static async make(server: TestServer, nodeId: string, clusterId = "prod"): Promise<TestNode> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    return new TestNode(server, clusterId, nodeId, keys);
  }

  /** One that is. */
  static async enrolled(server: TestServer, nodeId: string, clusterId = "prod"): Promise<TestNode> {
    const node = await TestNode.make(server, nodeId, clusterId);
    const path = `/v1/clusters/${clusterId}/tokens`;
    const made = TokenAnswer.parse((await server.admin("POST", path, { node: nodeId })).json);
    const answer = await node.enrol(made.token);
    node.#certificate = EnrolAnswer.parse(answer.json);
    return node;
  }

  get certificate(): EnrolAnswer {
    if (this.#certificate === null) throw new Error(`${this.nodeId} is not enrolled`);
    return this.#certificate;
  }

  async csr(): Promise<string> {
    const request = await Pkcs10CertificateRequestGenerator.create({
      name: `CN=${this.nodeId}`,
      keys: this.#keys,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    });
    return request.toString("pem");
  }

  async enrol(token: string, nodeId = this.nodeId): Promise<Answer> {
    const body = JSON.stringify({ token, nodeId, csr: await this.csr() });
    return this.#send("POST", "/v1/nodes/enrol", body, {});
  }

  /** A signed request, wrong where `tamper` says so. */
  call(method: string, path: string, body?: object, tamper: Tamper = {}): Promise<Answer> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const timeMs = tamper.timeMs ?? Date.now();
    const nonce = tamper.nonce ?? randomBytes(16).toString("base64url");
    const node = tamper.signer ?? signerName(this.clusterId, this.nodeId);
    const bodySha256 = createHash("sha256").update(text).digest("hex");
    const canonical = canonicalRequest({ method, path, bodySha256, timeMs, nonce, node });
    const headers = {
      [SIGNATURE_HEADERS.node]: node,
      [SIGNATURE_HEADERS.time]: `${timeMs}`,
      [SIGNATURE_HEADERS.nonce]: nonce,
      [SIGNATURE_HEADERS.signature]: this.sign(canonical),
    };
    return this.#send(method, tamper.path ?? path, tamper.body ?? text, headers);
  }

  /** Signs any text as this node. */
  sign(text: string): string {
    const key = KeyObject.from(this.#keys.privateKey);
    return sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString(
      "base64url",
    );
  }

  #send(
    method: string,
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const ca = this.#server.served.caCertificate;
    return call(method, `${this.#server.served.agentUrl}${path}`, {
      ca,
      headers: body === "" ? headers : { ...headers, "content-type": "application/json" },
      ...(body === "" ? {} : { body }),
    });
  }
}
