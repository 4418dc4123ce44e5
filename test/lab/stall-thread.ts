/**
 * Stops one thread of a process for a time and lets it go on, as a long garbage collection, a
 * runaway loop or a call that blocks does it; all other threads run. By ptrace(2), so that the
 * process needs to know nothing of it: PTRACE_SEIZE and PTRACE_INTERRUPT send no signal, and when
 * this program dies the kernel lets the thread go on.
 *
 *   node test/lab/stall-thread.ts THREAD_ID MILLISECONDS     one JSON line {"stoppedAtMs", "endedAtMs"}
 */
import koffi from "koffi";

const PTRACE_DETACH = 17;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
/** waitpid(2): a thread of another process counts as a child only with this. */
const WALL = 0x40000000;

const libc = koffi.load("libc.so.6");
const ptrace = libc.func("long ptrace(int request, int thread, void *address, void *data)");
const waitpid = libc.func("int waitpid(int thread, void *status, int options)");

const [threadId = 0, durationMs = 0] = process.argv.slice(2).map(Number);

function must(what: string, result: unknown): void {
  if (Number(result) < 0) throw new Error(`${what} of thread ${threadId}: errno ${koffi.errno()}`);
}

must("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, threadId, null, null));
must("PTRACE_INTERRUPT", ptrace(PTRACE_INTERRUPT, threadId, null, null));
must("waitpid", waitpid(threadId, null, WALL));
const stoppedAtMs = Date.now();
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
must("PTRACE_DETACH", ptrace(PTRACE_DETACH, threadId, null, null));
console.log(JSON.stringify({ stoppedAtMs, endedAtMs: Date.now() }));
