/**
 * The first bytes of a replication connection, in clear: which session's key to use, which
 * protocol version, which features, and a random number from each end. Everything after is sealed
 * with keys that only this connection has.
 *
 * Why both random numbers: the session's key serves many connections, and a record number repeated
 * under one key would break AES-GCM. Why the hash of both hellos, the names of both nodes, the
 * module and the purpose go into the keys: a man in the middle who changes a hello (to force an
 * old version), sends it back to its own sender, or joins it to another module's port leaves the
 * two ends with different keys. The client's third message is a proof that it has them, so that
 * nobody else can push a standing connection aside by opening a new one.
 */

import { createHash, hkdfSync } from "node:crypto";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { WireReader } from "./wire.ts";

/** Versions this build speaks; a range, so that two neighbouring releases work together. */
export const VERSION = { min: 2, max: 2 } as const;
/** Optional frames both ends must know before one is sent; none in version 1. */
export const FEATURES = 0;

const MAGIC = Buffer.from("MFRP");
const RANDOM_BYTES = 32;
const SESSION_BYTES = 16;
export const CLIENT_HELLO_BYTES = 4 + 1 + 1 + 1 + 1 + 4 + SESSION_BYTES + RANDOM_BYTES;
export const CLIENT_PROOF_BYTES = 32;
export const SERVER_HELLO_BYTES = 4 + 1 + 1 + 2 + 4 + RANDOM_BYTES;

/** What the connection is for; each has its own keys. */
export const PURPOSES = ["live", "resync"] as const;
export type Purpose = (typeof PURPOSES)[number];

export type ClientHello = {
  readonly purpose: Purpose;
  readonly versionMin: number;
  readonly versionMax: number;
  readonly features: number;
  readonly sessionId: Buffer;
  readonly random: Buffer;
};
export type ServerHello = {
  readonly version: number;
  readonly features: number;
  readonly random: Buffer;
};
export type HelloError =
  | { readonly kind: "badHello"; readonly reason: string }
  /** The other end does not have the session's key (yet). */
  | { readonly kind: "unknownSession" }
  | { readonly kind: "noCommonVersion" };

const STATUS = { accepted: 0, unknownSession: 1, noCommonVersion: 2 } as const;

/** Who speaks to whom about what: bound into the keys. */
export type HelloContext = {
  readonly sessionKey: Uint8Array;
  readonly moduleId: ModuleId;
  readonly clientId: NodeId;
  readonly serverId: NodeId;
};
export type ConnectionKeys = {
  readonly toServer: Buffer;
  readonly toClient: Buffer;
  /** What only a client with the session's key can say: sent first, so that the server knows. */
  readonly clientProof: Buffer;
};

export function encodeClientHello(
  purpose: Purpose,
  sessionId: Uint8Array,
  random: Uint8Array,
): Buffer {
  const head = Buffer.from([VERSION.min, VERSION.max, PURPOSES.indexOf(purpose), 0]);
  return Buffer.concat([MAGIC, head, uint32(FEATURES), sessionId, random]);
}

export function decodeClientHello(bytes: Buffer): Result<ClientHello, HelloError> {
  const from = new WireReader(bytes);
  const magic = from.raw(MAGIC.length);
  const [versionMin, versionMax] = [from.u8(), from.u8()];
  const purpose = PURPOSES[from.u8()];
  const reserved = from.u8();
  const features = from.u32();
  const [sessionId, random] = [from.raw(SESSION_BYTES), from.raw(RANDOM_BYTES)];
  if (!from.isSound || !from.isAtEnd || !magic.equals(MAGIC)) return bad("not a hello");
  if (reserved !== 0 || purpose === undefined) return bad("an unknown purpose");
  return ok({ purpose, versionMin, versionMax, features, sessionId, random });
}

/** The version both ends speak: the newest one, if any. */
export function commonVersion(hello: ClientHello): number | null {
  const version = Math.min(hello.versionMax, VERSION.max);
  return version >= Math.max(hello.versionMin, VERSION.min) ? version : null;
}

export function encodeServerHello(version: number, features: number, random: Uint8Array): Buffer {
  const head = Buffer.from([STATUS.accepted, version, 0, 0]);
  return Buffer.concat([MAGIC, head, uint32(features), random]);
}

export function encodeRefusal(kind: "unknownSession" | "noCommonVersion"): Buffer {
  return Buffer.concat([MAGIC, Buffer.from([STATUS[kind]]), Buffer.alloc(SERVER_HELLO_BYTES - 5)]);
}

export function decodeServerHello(bytes: Buffer): Result<ServerHello, HelloError> {
  const from = new WireReader(bytes);
  const magic = from.raw(MAGIC.length);
  const [status, version] = [from.u8(), from.u8()];
  from.u16();
  const features = from.u32();
  const random = from.raw(RANDOM_BYTES);
  if (!from.isSound || !from.isAtEnd || !magic.equals(MAGIC)) return bad("not a hello");
  if (status === STATUS.unknownSession) return err({ kind: "unknownSession" });
  if (status === STATUS.noCommonVersion) return err({ kind: "noCommonVersion" });
  if (status !== STATUS.accepted) return bad("an unknown status");
  if (version < VERSION.min || version > VERSION.max) return err({ kind: "noCommonVersion" });
  return ok({ version, features, random });
}

/** The two keys of one connection (HKDF, RFC 5869); both ends work them out from both hellos. */
export function connectionKeys(
  context: HelloContext,
  clientHello: Uint8Array,
  serverHello: Uint8Array,
): ConnectionKeys {
  const transcript = createHash("sha256").update(clientHello).update(serverHello).digest();
  const { clientId, serverId, moduleId, sessionKey } = context;
  const key = (direction: string): Buffer => {
    const info = JSON.stringify(["mirrorfarm stream 1", moduleId, clientId, serverId, direction]);
    return Buffer.from(hkdfSync("sha256", sessionKey, transcript, info, 32));
  };
  return {
    toServer: key("to server"),
    toClient: key("to client"),
    clientProof: key("proof of the client"),
  };
}

const bad = (reason: string): Result<never, HelloError> => err({ kind: "badHello", reason });

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
