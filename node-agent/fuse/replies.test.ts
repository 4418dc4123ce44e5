import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ERRNO } from "../adapters/linux/errno.ts";
import { close, read } from "../adapters/linux/file.ts";
import { OPCODE } from "./protocol/opcodes.ts";
import { Reply, Request } from "./protocol/request.ts";
import { Replies } from "./replies.ts";
import { FakeKernel } from "./testing/fake-kernel.ts";

describe("what the disk beneath fails", () => {
  let kernel: FakeKernel;
  let told: string[] = [];
  let replies: Replies;
  let request: Request;

  beforeEach(() => {
    kernel = new FakeKernel();
    told = [];
    request = new Request();
    const options = {
      device: kernel.device,
      gate: { mayReply: () => true, hold: () => undefined },
      onDiskError: (errno: number, operation: string) => void told.push(`${operation} ${errno}`),
    };
    replies = new Replies(options, request, new Reply(64));
    replies.role = "primary";
  });
  afterEach(() => {
    close(kernel.device);
    kernel.close();
  });

  const asked = (opcode: number) => {
    kernel.ask(opcode, 1, Buffer.alloc(8));
    read(kernel.device, request.bytes, request.bytes.length);
  };

  test("is told once, and to the application each time", () => {
    asked(OPCODE.WRITE);
    replies.fail(-ERRNO.EIO);
    expect(kernel.reply()?.error).toBe(-ERRNO.EIO);
    asked(OPCODE.FSYNC);
    replies.complete(replies.defer(0), -ERRNO.EIO);
    expect(kernel.reply()?.error).toBe(-ERRNO.EIO);
    expect(told).toEqual([`WRITE ${ERRNO.EIO}`]);
  });

  test("is also what a helper thread found, under the name of its own request", () => {
    asked(OPCODE.FSYNC);
    const syncing = replies.defer(0);
    asked(OPCODE.GETATTR);
    replies.complete(syncing, -ERRNO.EIO);
    expect(told).toEqual([`FSYNC ${ERRNO.EIO}`]);
  });

  test("is not what a full disk or a caller's mistake is", () => {
    for (const errno of [ERRNO.ENOSPC, ERRNO.ENOENT, ERRNO.EINVAL, ERRNO.EACCES]) {
      asked(OPCODE.WRITE);
      replies.fail(-errno);
    }
    expect(told).toEqual([]);
  });

  test("read-only is a failure of a primary's disk, and a secondary's own word", () => {
    replies.role = "secondary";
    asked(OPCODE.MKDIR);
    replies.fail(-ERRNO.EROFS);
    expect(told).toEqual([]);
    replies.role = "primary";
    asked(OPCODE.MKDIR);
    replies.fail(-ERRNO.EROFS);
    expect(told).toEqual([`MKDIR ${ERRNO.EROFS}`]);
  });

  test("is not what is answered when the mount is taken off", () => {
    asked(OPCODE.WRITE);
    replies.defer(0);
    replies.failAll(-ERRNO.EIO);
    expect(told).toEqual([]);
  });
});
