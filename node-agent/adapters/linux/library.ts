/**
 * Linux system calls that Node lacks, through koffi (a foreign-function library): everything that
 * needs a directory descriptor (openat(2) and its family), and the few calls that the data path
 * makes synchronously because a trip through libuv costs more than the call itself.
 *
 * Conventions, for every file of this folder:
 * - A result >= 0 is the call's own result; a negative one is `-errno` (see errno.ts). No object
 *   is made and nothing is thrown, so that a call on the data path costs no allocation.
 * - Names and paths are bytes, ending in NUL, never strings: POSIX names need not be UTF-8.
 *   A buffer that merely *starts* with such a name will do: the kernel stops at the NUL.
 * - Offsets and sizes are numbers, exact up to 2^53.
 * - Per-thread kernel state (file system uid, umask after `unshareFileSystemState`, securebits) is
 *   per-thread here too: koffi calls run on the calling thread.
 *
 * This file is the only place where a C prototype becomes a typed function.
 */
import koffi from "koffi";
import { withErrno } from "./native-code.ts";

const libc = koffi.load("libc.so.6");

/** What a C argument may be: koffi passes a byte array's address; `null` is the null pointer. */
export type Argument = number | bigint | Uint8Array | null;

/**
 * A typed system call from its C prototype (koffi's words for types: `ulong` for size_t, `long`
 * for ssize_t). The tuple `A` is not checked against the prototype: keep the two side by side.
 */
export function systemCall<A extends readonly Argument[]>(
  prototype: string,
): (...args: A) => number {
  const [, result = "", name = "", list = ""] = /^(\w+) (\w+)\((.*)\)$/.exec(prototype) ?? [];
  const args = list === "" ? [] : list.split(", ");
  const call: (...args: A) => number | bigint = isSigned(result)
    ? withErrno(result === "int" ? "int" : "long", name, args)
    : libc.func(name, result, args);
  // koffi answers a BigInt beyond 2^53 (the position in a large directory): only a number is safe
  // to calculate with, and nobody needs the last digits of such a one.
  return (...args) => Number(call(...args));
}

/** What cannot be negative cannot fail. */
const isSigned = (type: string): boolean => ["int", "long", "int64"].includes(type);

/** `text` as bytes with a final NUL. For fixed paths and tests; names from the kernel are bytes already. */
export const cString = (text: string): Uint8Array => Buffer.from(`${text}\0`);

/** A copy of `name` (without NUL) that ends in NUL. */
export function withNul(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(name.length + 1);
  bytes.set(name);
  return bytes;
}

/**
 * Where a byte array's memory is, for structures that hold pointers. Right for as long as the
 * array lives: the memory behind a typed array does not move.
 */
export const addressOf = (bytes: Uint8Array): bigint => koffi.address(bytes);

/** Memory of this process at an address from the kernel, of that many bytes; never given back. */
export const memoryAt = (address: number, bytes: number): ArrayBuffer =>
  koffi.view(BigInt(address), bytes);
