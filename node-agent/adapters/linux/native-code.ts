/**
 * A C function whose error comes back in its result.
 *
 * libc tells a failed call's reason in `errno`, which belongs to the thread and lasts until the next
 * failure of anything on it. Reading it by a second call from JavaScript is too late: between the
 * two V8 may collect garbage or throw optimized code away, and a futex of its own that fails leaves
 * EAGAIN there. (Seen as `listxattr: errno 11` in a test; repeatable with --deopt-every-n-times.)
 * A program would then get EAGAIN where there is no such file.
 *
 * So a few instructions of machine code stand before each function: they call it, and where its
 * result is negative they answer `-errno` instead, before anything else can run.
 */
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const mmap = libc.func("void *mmap(void *, ulong, int, int, int, int64)");
const mprotect = libc.func("int mprotect(void *, ulong, int)");
const errnoLocation: bigint = koffi.address(libc.symbol("__errno_location"));

const PAGE_BYTES = 4096;
const READ = 1;
const WRITE = 2;
const EXECUTE = 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;
/** Both processors pass this many in registers; what lies on the stack would not be found. */
const ARGUMENTS_MAX = 6;

/** Where the result says whether the call failed: an int's upper half is undefined (both ABIs). */
type Width = "int" | "long";

/** Machine code of one processor: of a fixed size, with two addresses in it. */
type Template = (of: bigint, width: Width) => Buffer;

/** x86-64, System V ABI. Arguments and result stay where the caller put them. */
const x64: Template = (of, width) => {
  const signed = width === "int" ? "4898" : ""; //   cdqe
  return withAddresses(
    Buffer.from(
      "4883ec08" + //                                sub  rsp, 8      (16-byte alignment)
        `49bb${"00".repeat(8)}41ffd3` + //           mov  r11, of; call r11
        `${signed}4885c0` + //                       test rax, rax
        "7912" + //                                  jns  over the next four
        `49bb${"00".repeat(8)}41ffd3` + //           mov  r11, __errno_location; call r11
        "8b0048f7d8" + //                            mov  eax, [rax]; neg rax
        "4883c408c3", //                             add  rsp, 8; ret
      "hex",
    ),
    [6, of],
    [width === "int" ? 26 : 24, errnoLocation],
  );
};

/** AArch64, AAPCS64. The addresses stand behind the code. */
const arm64: Template = (of, width) => {
  const words = [
    0xa9bf7bfd, // stp  x29, x30, [sp, #-16]!
    0x58000170, // ldr  x16, of
    0xd63f0200, // blr  x16
    width === "int" ? 0x93407c00 : 0xd503201f, // sxtw x0, w0; or nop
    0xb6f800a0, // tbz  x0, #63, over the next four
    0x58000130, // ldr  x16, __errno_location
    0xd63f0200, // blr  x16
    0xb9400000, // ldr  w0, [x0]
    0xcb0003e0, // neg  x0, x0
    0xa8c17bfd, // ldp  x29, x30, [sp], #16
    0xd65f03c0, // ret
    0xd503201f, // nop
  ];
  const code = Buffer.alloc(words.length * 4 + 16);
  for (const [at, word] of words.entries()) code.writeUInt32LE(word, at * 4);
  return withAddresses(code, [48, of], [56, errnoLocation]);
};

function withAddresses(code: Buffer, ...addresses: readonly (readonly [number, bigint])[]): Buffer {
  for (const [at, address] of addresses) code.writeBigUInt64LE(address, at);
  return code;
}

/** Executable memory of this thread; it stays until the process ends, as does libc. */
class CodePage {
  readonly #address: bigint;
  readonly #bytes: Buffer;
  #used = 0;

  constructor() {
    const memory = mmap(null, PAGE_BYTES, READ | WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    this.#address = koffi.address(memory);
    if (this.#address === 2n ** 64n - 1n) throw new Error("no memory for machine code");
    this.#bytes = Buffer.from(koffi.view(memory, PAGE_BYTES));
  }

  hasRoomFor(code: Buffer): boolean {
    return this.#used + code.length <= PAGE_BYTES;
  }

  /** Its address. Never writable and executable at once; only this thread runs what is here. */
  add(code: Buffer): bigint {
    const at = this.#used;
    this.#protect(READ | WRITE);
    code.copy(this.#bytes, at);
    // The kernel makes the processor's instruction cache see what has become executable.
    this.#protect(READ | EXECUTE);
    // The next one begins where any processor may jump to, and AArch64 may load an address from.
    this.#used = Math.ceil((at + code.length) / 16) * 16;
    return this.#address + BigInt(at);
  }

  #protect(how: number): void {
    if (mprotect(this.#address, PAGE_BYTES, how) !== 0) {
      throw new Error("the kernel refuses machine code; Node's own compiler needs it too");
    }
  }
}

let page = new CodePage();

/** `name` of libc with that result and those arguments; its negative results are `-errno`. */
export function withErrno<A extends readonly unknown[]>(
  width: Width,
  name: string,
  args: readonly string[],
): (...args: A) => number | bigint {
  if (args.length > ARGUMENTS_MAX) throw new Error(`${name}: more arguments than registers`);
  const template = process.arch === "arm64" ? arm64 : x64;
  const code = template(koffi.address(libc.symbol(name)), width);
  if (!page.hasRoomFor(code)) page = new CodePage();
  return koffi.decode(page.add(code), koffi.proto(width, [...args]));
}
