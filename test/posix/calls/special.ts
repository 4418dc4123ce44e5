/** What fits nowhere else: handles, ioctls, programs, the working directory, other programs. */
import { spawnSync } from "node:child_process";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { quote } from "../language/text.ts";
import { type Call, c, HERE, number } from "./session.ts";

const nameToHandle = systemCall<
  [at: number, path: Uint8Array, handle: Uint8Array, mount: Uint8Array, flags: number]
>("int name_to_handle_at(int, const void *, void *, void *, int)");
const openByHandle = systemCall<[mount: number, handle: Uint8Array, flags: number]>(
  "int open_by_handle_at(int, const void *, int)",
);
const ioctl = systemCall<[fd: number, request: number, argument: Uint8Array]>(
  "int ioctl(int, ulong, void *)",
);
const ioctlNumber = systemCall<[fd: number, request: number, argument: number]>(
  "int ioctl(int, ulong, long)",
);

/** linux/fs.h */
const IOCTL: Record<string, number> = {
  GETFLAGS: 0x80086601,
  SETFLAGS: 0x40086602,
  GETVERSION: 0x80087601,
  FSGETXATTR: 0x801c581f,
  FIGETBSZ: 2,
  FIONREAD: 0x541b,
  FIEMAP: 0xc020660b,
  TCGETS: 0x5401,
};
const FICLONE = 0x40049409;
const HANDLE_BYTES_MAX = 128;
const CHILD_MS_MAX = 20_000;

function run(program: string, words: readonly string[]): string {
  const { status, signal, error, stdout } = spawnSync(program, words, { timeout: CHILD_MS_MAX });
  if (error !== undefined) return "code" in error ? String(error.code) : "failed";
  return `${signal ?? status} ${quote(stdout.toString("latin1").trimEnd())}`;
}

export const SPECIAL: Record<string, Call> = {
  cd: (_, path = "") => {
    process.chdir(path);
    return 0;
  },
  pwd: () => quote(process.cwd().split("/").at(-1) ?? ""),
  /** Through a file handle: its descriptor. */
  "open-by-handle": (s, path = "", mount = "", how = "0") => {
    const handle = new Uint8Array(8 + HANDLE_BYTES_MAX);
    new DataView(handle.buffer).setUint32(0, HANDLE_BYTES_MAX, true);
    const named = nameToHandle(HERE, c(path), handle, new Uint8Array(4), 0);
    return named < 0 ? named : openByHandle(s.fd(mount), handle, number(how));
  },
  ioctl: (s, f = "", name = "") => {
    const request = IOCTL[name] ?? number(name);
    const answer = new Uint8Array(64);
    const result = ioctl(s.fd(f), request, answer);
    return result < 0 ? result : `0x${new DataView(answer.buffer).getUint32(0, true).toString(16)}`;
  },
  /** A reflink, which shares the blocks. */
  clone: (s, to = "", from = "") => ioctlNumber(s.fd(to), FICLONE, s.fd(from)),
  /** Exit status (or signal) and output. */
  exec: (_, program = "", ...rest) => run(program, rest),
  sh: (_, script = "") => run("/bin/sh", ["-c", script]),
};
