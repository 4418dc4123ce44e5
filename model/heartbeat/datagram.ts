import * as z from "zod/mini";
import { err, ok, type Result } from "#model/shared/result.ts";

/**
 * What a heartbeat says, once unsealed. Everything in it is state, not a request: a lost, doubled
 * or late datagram is repaired by the next one. Lenient to unknown fields, so that a newer peer may
 * say more; strict on every length.
 */

/** Modules in one datagram at most; a node with more sends several datagrams. */
const MODULES_PER_DATAGRAM_MAX = 16;
/** Characters of one module's published state as JSON; more is a bug. Aim for half of it. */
export const STATE_BYTES_MAX = 2048;
/**
 * Bytes of the plain text of a datagram that carries several modules: with the seal, IPv6, UDP and
 * tunnel headers it stays under the smallest common MTU of cloud networks (1400). A single module
 * with a large state may exceed it; IP then fragments.
 */
const PLAIN_BYTES_AIM = 1200;
/** Bytes of plain text that are read at most. */
export const PLAIN_BYTES_MAX = 8192;

const ModuleName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/));
const EpochNumber = z.int().check(z.positive());
const Token = z.string().check(z.minLength(1), z.maxLength(80));
const BeatNumber = z.int().check(z.positive());

const Beat = z.object({
  kind: z.literal("beat"),
  number: BeatNumber,
  instanceId: Token,
  bootId: Token,
  modules: z
    .array(
      z.object({
        moduleId: ModuleName,
        /** The epoch for which the sender asks our promise; null: it does not lead this module. */
        asks: z.nullable(EpochNumber),
        /** What the sender publishes; its own schema judges it on the main thread. */
        state: z.optional(z.unknown()),
      }),
    )
    .check(z.maxLength(MODULES_PER_DATAGRAM_MAX)),
});

const Ack = z.object({
  kind: z.literal("ack"),
  number: BeatNumber,
  instanceId: Token,
  bootId: Token,
  given: z
    .array(
      z.object({
        moduleId: ModuleName,
        epoch: EpochNumber,
        promiseMs: z.number().check(z.positive(), z.maximum(600_000)),
      }),
    )
    .check(z.maxLength(MODULES_PER_DATAGRAM_MAX)),
});

const Datagram = z.discriminatedUnion("kind", [Beat, Ack]);

/** "I live, this is my state, I ask for these promises." */
export type Beat = z.infer<typeof Beat>;
/** "I received your heartbeat `number`, and promise this." */
export type Ack = z.infer<typeof Ack>;
export type Datagram = z.infer<typeof Datagram>;

/** Reads the plain text of a datagram; the error says nothing of its content. */
export function parseDatagram(text: string): Result<Datagram, "malformed"> {
  if (text.length > PLAIN_BYTES_MAX) return err("malformed");
  try {
    const parsed = Datagram.safeParse(JSON.parse(text));
    return parsed.success ? ok(parsed.data) : err("malformed");
  } catch {
    return err("malformed");
  }
}

/**
 * Shares out the modules over as few datagrams as stay under the aim, in order. Never empty: a node
 * without modules still says that it lives.
 */
export function packModules<T>(modules: readonly T[]): readonly (readonly T[])[] {
  const packs: T[][] = [[]];
  let bytes = 0;
  for (const module of modules) {
    const size = JSON.stringify(module).length;
    const last = packs.at(-1) ?? [];
    const isFull = last.length === MODULES_PER_DATAGRAM_MAX || bytes + size > PLAIN_BYTES_AIM;
    if (isFull && last.length > 0) {
      packs.push([module]);
      bytes = size;
    } else {
      last.push(module);
      bytes += size;
    }
  }
  return packs;
}
