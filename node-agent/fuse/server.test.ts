import { execFileSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FileChange } from "#model/replication/dirty-set.ts";
import type { Touch } from "#model/replication/hot-places.ts";
import { cases } from "../../test/setup/length.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { effectiveGid, effectiveUid } from "../adapters/linux/identity.ts";
import type { Operation } from "../replication/operation.ts";
import { FileIdAllocator } from "./ports.ts";
import { OPCODE } from "./protocol/opcodes.ts";
import { FuseServer } from "./server.ts";
import { body, FakeKernel } from "./testing/fake-kernel.ts";

const ROOT = 1;
const O_RDWR = 2;

describe("the server", () => {
  let folder = "";
  let rootFd = -1;
  let kernel = new FakeKernel();
  let server: FuseServer;
  let operations: Operation[] = [];
  let faults: string[] = [];
  let waiting: (() => void)[] = [];
  let acknowledges = true;
  let isWindowOpen = true;
  let isRecorded: boolean;
  let touched: Touch[];
  let isGateOpen = true;
  let held: (() => void)[] = [];

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "mf-server-"));
    rootFd = openSync(folder, "r");
    kernel = new FakeKernel();
    operations = [];
    faults = [];
    waiting = [];
    held = [];
    acknowledges = true;
    isWindowOpen = true;
    isGateOpen = true;
    isRecorded = true;
    touched = [];
    start();
  });
  function start(o: { readonly descriptorsMax?: number } = {}): void {
    server = new FuseServer({
      ...o,
      device: kernel.device,
      tree: { number: 0, id: 1, rootFd, exclusions: [] },
      ids: new FileIdAllocator(1),
      sink: {
        submit(operation, done) {
          operations.push(operation);
          if (done !== undefined && acknowledges) done();
          else if (done !== undefined) waiting.push(done);
          return isWindowOpen;
        },
        hurry() {},
      },
      gate: { mayReply: () => isGateOpen, hold: (reply) => void held.push(reply) },
      // Too busy: so every call is made at once.
      blocking: { submit: () => false, read: () => false },
      changes: {
        announce: (touches) => {
          touched.push(...touches);
          return isRecorded;
        },
        born: () => undefined,
      },
      onDiskError: (errno, operation) => faults.push(`disk ${operation}: ${errno}`),
      onFault: (fault) => faults.push(`${fault.operation}: ${fault.detail}`),
    });
    kernel.askInit();
    server.handleReadable(1);
    kernel.reply();
    server.setRole("primary");
  }
  afterEach(() => {
    server.close();
    kernel.close();
    closeSync(rootFd);
    // A request may have taken its owner's access away, which stops all but root.
    execFileSync("chmod", ["-R", "u+rwx", folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Asks as this process's own user, and returns the answer. */
  const call = (opcode: number, nodeId: number, ...parts: (number | bigint | string)[]) => {
    kernel.ask(opcode, nodeId, body(...parts));
    server.handleReadable(1);
    return kernel.reply();
  };
  const create = (name: string) => {
    const reply = call(OPCODE.CREATE, ROOT, O_RDWR, 0o100640, 0o022, 0, name);
    return {
      nodeId: reply?.payload.readUInt32LE(0) ?? 0,
      handle: reply?.payload.readBigUInt64LE(128) ?? 0n,
    };
  };
  const asWrite = (handle: bigint, offset: bigint, text: string) =>
    [handle, offset, text.length + 1, 0, 0n, 0, 0, text] as const;

  test("describes what was done, as it came to be", () => {
    const file = create("a");
    expect(call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 3n, "xy"))?.error).toBe(0);
    expect(call(OPCODE.UNLINK, ROOT, "a")?.error).toBe(0);
    const birth = { mode: 0o100640, uid: effectiveUid(), gid: effectiveGid() };
    const name = Buffer.from("a");
    expect(operations.map(({ kind }) => kind)).toEqual(["create", "write", "unlink"]);
    expect(operations[0]).toMatchObject({ parent: 1, id: 2, birth, rdev: 0 });
    expect(operations[1]).toMatchObject({ id: 2, offsetBytes: 3 });
    expect(operations[2]).toMatchObject({ parent: 1 });
    expect(operations.flatMap((o) => ("name" in o ? [Buffer.from(o.name)] : []))).toEqual([
      name,
      name,
    ]);
  });

  test("submits nothing when the call failed, and answers its error", () => {
    expect(call(OPCODE.RMDIR, ROOT, "nothing")?.error).toBe(-ERRNO.ENOENT);
    expect(operations).toEqual([]);
  });

  test("answers only after the acknowledgement, in whatever order those come", () => {
    acknowledges = false;
    expect(call(OPCODE.MKDIR, ROOT, 0o755, 0, "a")).toBeNull();
    expect(call(OPCODE.MKDIR, ROOT, 0o755, 0, "b")).toBeNull();
    expect(server.pendingCount).toBe(2);
    waiting[1]?.();
    expect(kernel.reply()?.unique).toBe(3);
    waiting[0]?.();
    expect(kernel.reply()?.unique).toBe(2);
    expect(server.pendingCount).toBe(0);
  });

  test("takes no request while the window is full or the gate is shut", () => {
    isWindowOpen = false;
    expect(call(OPCODE.MKDIR, ROOT, 0o755, 0, "a")?.error).toBe(0);
    expect(server.wantsRequests).toBe(false);
    expect(call(OPCODE.MKDIR, ROOT, 0o755, 0, "b")).toBeNull();
    expect(readdirSync(folder)).toEqual(["a"]);
    isWindowOpen = true;
    server.onWindowOpen();
    server.handleReadable(1);
    expect(kernel.reply()?.error).toBe(0);
    isGateOpen = false;
    expect(server.wantsRequests).toBe(false);
    expect(call(OPCODE.GETATTR, ROOT, 0, 0, 0n)).toBeNull();
  });

  test("gives no reply past a shut gate, and gives it once when the gate opens", () => {
    acknowledges = false;
    call(OPCODE.MKDIR, ROOT, 0o755, 0, "a");
    isGateOpen = false;
    waiting[0]?.();
    expect(kernel.reply()).toBeNull();
    isGateOpen = true;
    for (const reply of held) reply();
    expect(kernel.reply()?.error).toBe(0);
    for (const reply of held) reply();
    expect(kernel.reply()).toBeNull();
  });

  test("fails what waits for good: a later acknowledgement changes nothing", () => {
    acknowledges = false;
    call(OPCODE.MKDIR, ROOT, 0o755, 0, "a");
    server.failPending(ERRNO.EIO);
    expect(kernel.reply()?.error).toBe(-ERRNO.EIO);
    waiting[0]?.();
    expect(kernel.reply()).toBeNull();
  });

  test("starts the peer's fsync before its own, and answers when both are done", () => {
    const file = create("a");
    acknowledges = false;
    expect(call(OPCODE.FSYNC, file.nodeId, file.handle, 1, 0)).toBeNull();
    expect(operations.at(-1)).toEqual({ kind: "fsync", id: 2, dataOnly: true });
    waiting[0]?.();
    expect(kernel.reply()?.error).toBe(0);
  });

  test("sends changed times once they are asked for, and before an fsync", () => {
    const file = create("a");
    call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 0n, "xy"));
    server.flushTimes();
    server.flushTimes();
    const times = operations.filter(({ kind }) => kind === "setattr");
    expect(times.map((o) => ("id" in o ? o.id : 0))).toEqual([1, 2]);
  });

  test("however much changes at once, no time is sent of a file not yet told of, or before a change", () => {
    for (let n = 0; n < 1500; n += 1) {
      kernel.ask(OPCODE.MKNOD, ROOT, body(0o100644, 0, 0, 0, `f${n}`));
      server.handleReadable(1);
      kernel.reply();
    }
    const created = new Set([1]);
    let rootChanged = 0;
    for (const [at, o] of operations.entries()) {
      if (o.kind === "create") {
        created.add(o.id);
        rootChanged = at;
      }
      if (o.kind === "setattr") expect(created).toContain(o.id);
    }
    const times = operations.flatMap((o, at) => (o.kind === "setattr" && o.id === 1 ? [at] : []));
    expect(times.length).toBeGreaterThan(0);
    server.flushTimes();
    const last = operations.findLastIndex((o) => o.kind === "setattr" && o.id === 1);
    expect(last).toBeGreaterThan(rootChanged);
  });

  test.skipIf(effectiveUid() !== 0)(
    "a file that was evicted and removed is not taken for the next of its inode number (needs root)",
    () => {
      server.close();
      kernel.close();
      kernel = new FakeKernel();
      start({ descriptorsMax: 4 });
      for (let round = 0; round < 20; round += 1) {
        call(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, `old${round}`);
        for (let n = 0; n < 70; n += 1) {
          call(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, `other${round}-${n}`);
        }
        call(OPCODE.UNLINK, ROOT, `old${round}`);
        const reply = call(OPCODE.MKNOD, ROOT, 0o100644, 0, 0, 0, `new${round}`);
        const nodeId = reply?.payload.readUInt32LE(0) ?? 0;
        expect(call(OPCODE.GETATTR, nodeId, 0, 0, 0n)?.error).toBe(0);
      }
      expect(faults).toEqual([]);
    },
  );

  test("cuts a copied range into writes and answers after the last", () => {
    const from = create("a");
    const to = create("b");
    call(OPCODE.WRITE, from.nodeId, ...asWrite(from.handle, 0n, "0123456789"));
    const reply = call(
      OPCODE.COPY_FILE_RANGE,
      from.nodeId,
      ...[from.handle, 2n, BigInt(to.nodeId), to.handle, 1n, 5n, 0n],
    );
    expect(reply?.payload.readUInt32LE(0)).toBe(5);
    expect(operations.at(-1)).toMatchObject({ kind: "write", id: 3, offsetBytes: 1 });
    expect(readFileSync(path.join(folder, "b"), "latin1")).toBe("\u000023456");
  });

  test("tells a running resync where something changed, and in which file", () => {
    const told: [string, FileChange][] = [];
    server.mutations = {
      changedFile: (_tree, name, change) => told.push([Buffer.from(name).toString(), change]),
      changedDirectory: () => undefined,
      changedSubtree: () => undefined,
      renamed: () => undefined,
      changedInode: () => undefined,
      lostName: () => undefined,
      changedEverything: () => undefined,
    };
    const file = create("a");
    call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 3n, "xy"));
    // The name may be gone when somebody looks: other names of the same file are found by this.
    const inode = statSync(path.join(folder, "a")).ino;
    expect(told.at(-1)).toEqual(["a", { inode, offsetBytes: 3, lengthBytes: 3 }]);
  });

  test("does nothing before the record of changes has it, and then all of it, once", () => {
    const file = create("a");
    touched = [];
    isRecorded = false;
    expect(call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 3n, "xy"))).toBeNull();
    expect(touched).toMatchObject([{ kind: "content", startBytes: 3, endBytes: 6 }]);
    server.handleParked();
    expect([kernel.reply(), server.pendingCount]).toEqual([null, 1]);
    expect(statSync(path.join(folder, "a")).size).toBe(0);
    isRecorded = true;
    server.handleParked();
    server.handleParked();
    expect(kernel.reply()?.error).toBe(0);
    expect(operations.filter((one) => one.kind === "write")).toHaveLength(1);
    expect([readFileSync(path.join(folder, "a"), "latin1"), server.pendingCount]).toEqual([
      "\u0000\u0000\u0000xy\u0000",
      0,
    ]);
  });

  test("a request that was failed while it waited is never done", () => {
    const file = create("a");
    isRecorded = false;
    call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 0n, "xy"));
    server.failPending(ERRNO.EIO);
    isRecorded = true;
    server.handleParked();
    expect(statSync(path.join(folder, "a")).size).toBe(0);
  });

  test("says what each call is about to touch", () => {
    create("a");
    const inode = statSync(path.join(folder, "a")).ino;
    const root = statSync(folder).ino;
    const of = (ask: () => unknown): string[] => {
      touched = [];
      ask();
      return touched.map((one) => {
        const where = "path" in one ? one.path() : null;
        const name = where instanceof Uint8Array ? ` ${Buffer.from(where)}` : "";
        return `${one.kind}${name}${"replaces" in one && one.replaces ? "!" : ""}`;
      });
    };
    expect(of(() => create("b"))).toEqual(["names ", "name b"]);
    expect(of(() => call(OPCODE.RENAME, ROOT, BigInt(ROOT), "a", "b"))).toEqual([
      ...["moves", "names ", "names ", "name b!"],
    ]);
    linkSync(path.join(folder, "b"), path.join(folder, "c"));
    expect(of(() => call(OPCODE.UNLINK, ROOT, "b"))).toEqual(["names ", "lostName b"]);
    expect(touched.map((one) => ("inode" in one ? one.inode : 0))).toEqual([root, inode]);
  });

  test("an unknown request is answered with ENOSYS, one about an unknown file with ESTALE", () => {
    expect(call(99, ROOT)?.error).toBe(-ERRNO.ENOSYS);
    expect(call(OPCODE.GETATTR, 77, 0, 0, 0n)?.error).toBe(-ERRNO.ESTALE);
  });

  test("an exception is EIO for the caller and a fault for the owner", () => {
    acknowledges = true;
    const file = create("a");
    const handle = {
      get: () => {
        throw new Error("broken on purpose");
      },
    };
    Object.defineProperty(operations, "push", { value: handle.get });
    const reply = call(OPCODE.WRITE, file.nodeId, ...asWrite(file.handle, 0n, "xy"));
    expect(reply?.error).toBe(-ERRNO.EIO);
    expect(faults).toEqual(["WRITE: broken on purpose"]);
  });

  test("whatever a request holds, it gets exactly one reply", () => {
    const opcodes = Object.values(OPCODE).filter(
      (opcode) =>
        ![OPCODE.FORGET, OPCODE.BATCH_FORGET, OPCODE.INTERRUPT, OPCODE.INIT].some(
          (unanswered) => unanswered === opcode,
        ),
    );
    create("a");
    const request = fc.record({
      opcode: fc.constantFrom(...opcodes),
      nodeId: fc.integer({ min: 0, max: 4 }),
      words: fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 3 }), fc.integer({ min: 0 })), {
        maxLength: 24,
      }),
      tail: fc.stringMatching(/^[a-c]{0,3}$/),
    });
    fc.assert(
      fc.property(request, ({ opcode, nodeId, words, tail }) => {
        const unique = kernel.ask(opcode, nodeId, body(...words, tail, tail));
        server.handleReadable(1);
        const reply = kernel.reply();
        return reply?.unique === unique && reply.error <= 0 && kernel.reply() === null;
      }),
      { numRuns: cases(2000) },
    );
    expect(faults).toEqual([]);
  });
});
