/**
 * People of the local control plane: a secret per person, a role per secret. The first secret is
 * made with the state folder, lives in a file of mode 0600 and is an admin's; the others are kept
 * as hashes. A browser trades its secret for a cookie that carries no secret: it names the key and
 * its end, under a MAC, so that removing the key ends the session at once.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod/mini";
import { Role } from "#model/contract/commands.ts";
import type { RecordStore } from "../ports.ts";

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}
/** How long a browser stays signed in. */
export const SESSION_MS = 30 * 24 * 3_600_000;
const PARTITION = "people";
const PersonRecord = z.object({ id: z.string(), name: z.string(), role: Role });
const SESSION = /^([A-Za-z0-9_]{1,80})\.([0-9]{1,15})\.([A-Za-z0-9_-]{43})$/;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export class People {
  readonly #records: RecordStore;
  readonly #sessionKey: Buffer;
  readonly #nowMs: () => number;

  /** `firstSecret` also keys the cookies: a new one signs every browser out. */
  constructor(records: RecordStore, firstSecret: string, nowMs: () => number) {
    this.#records = records;
    this.#nowMs = nowMs;
    this.#sessionKey = createHmac("sha256", firstSecret).update("mirrorfarm session").digest();
  }

  /** Lets a secret in, from now on. Doing so again changes nothing but the person's data. */
  async admit(person: Person, secret: string): Promise<void> {
    const key = { partition: PARTITION, id: sha256(secret) };
    const was = await this.#records.read(key);
    await this.#records.write(key, was?.version ?? 0, JSON.stringify(person));
  }

  /** Everyone who may come in, without what would let anyone in. */
  async list(): Promise<readonly Person[]> {
    const records = await this.#records.list(PARTITION);
    return records.map((record) => PersonRecord.parse(JSON.parse(record.text)));
  }

  /** Shuts someone out, sessions included. False when nobody has that id. */
  async dismiss(personId: string): Promise<boolean> {
    for (const record of await this.#records.list(PARTITION)) {
      if (PersonRecord.parse(JSON.parse(record.text)).id !== personId) continue;
      return this.#records.remove({ partition: PARTITION, id: record.id }, record.version);
    }
    return false;
  }

  /** By its hash, so the look-up's timing says nothing about a secret that is nearly right. */
  async bySecret(secret: string): Promise<Person | null> {
    if (secret.length < 20 || secret.length > 200) return null;
    const record = await this.#records.read({ partition: PARTITION, id: sha256(secret) });
    return record === null ? null : PersonRecord.parse(JSON.parse(record.text));
  }

  /** The cookie's value for a person who showed a secret. */
  openSession(person: Person): string {
    const content = `${person.id}.${this.#nowMs() + SESSION_MS}`;
    return `${content}.${this.#mac(content)}`;
  }

  /** Whose session this is, if it is genuine, has not ended and its person may still come in. */
  async bySession(cookie: string): Promise<Person | null> {
    const [, personId = "", endsAtMs = "", mac = ""] = SESSION.exec(cookie) ?? [];
    const expected = this.#mac(`${personId}.${endsAtMs}`);
    if (mac.length !== expected.length) return null;
    if (!timingSafeEqual(Buffer.from(mac), Buffer.from(expected))) return null;
    if (Number(endsAtMs) < this.#nowMs()) return null;
    return (await this.list()).find((person) => person.id === personId) ?? null;
  }

  #mac(content: string): string {
    return createHmac("sha256", this.#sessionKey).update(content).digest("base64url");
  }
}
