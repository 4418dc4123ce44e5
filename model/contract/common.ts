/**
 * The wire: what agents, control plane, console and command line say to each other, as zod schemas
 * with the types inferred from them. One folder, so that no side can drift from another.
 *
 * Rules of the folder: an object on the wire drops fields it does not know (a newer peer may say
 * more), every string, list and number has a bound (whatever arrives was written by someone else),
 * and nothing here reads a clock or does I/O. `zod/mini` keeps the vote function small.
 */
import * as z from "zod/mini";

/** A node's or a cluster's name: also a DNS label list, because certificates carry it as one. */
export const NodeName = z.string().check(z.regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/));
export const ClusterName = NodeName;
/** A module's name: a folder name on the nodes, so no dot and no slash. */
export const ModuleName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/));

/** Milliseconds since 1970. */
export const UnixMs = z.int().check(z.nonnegative());
/** A fencing number; a safe integer, never a string or a fraction. */
export const Epoch = z.int().check(z.nonnegative());
/** A count, a size or a duration that is never negative. */
export const Count = z.int().check(z.nonnegative());
export const Sha256Hex = z.string().check(z.regex(/^[0-9a-f]{64}$/));
/** Identifiers made by one of us: URL-safe and bounded. */
export const Id = z.string().check(z.regex(/^[A-Za-z0-9_.:-]{1,80}$/));
/** A sentence for people. Longer ones are a mistake of the sender. */
export const Sentence = z.string().check(z.maxLength(1000));
/** A word such as a network, resource or interface name. */
export const Word = z.string().check(z.minLength(1), z.maxLength(128));
/** IPv4, IPv6 or a DNS name; the form is judged where it is used. */
export const Address = z.string().check(z.regex(/^[A-Za-z0-9.:%-]{1,253}$/));
/** PEM text: certificates and requests for them. */
export const Pem = z
  .string()
  .check(z.minLength(32), z.maxLength(16_384), z.startsWith("-----BEGIN "));

export const NODES_MAX = 32;
export const MODULES_MAX = 64;
export const IN_SYNC_MAX = 8;

export const NodeNames = z.array(NodeName).check(z.maxLength(NODES_MAX));
export const InSync = z.array(NodeName).check(z.maxLength(IN_SYNC_MAX));
