/** Cases about contents: reading, writing, space, open files without names. */
import { appendFileSync } from "node:fs";
import * as linux from "../../node-agent/adapters/linux/file.ts";
import { addressOf } from "../../node-agent/adapters/linux/library.ts";
import { c, facts, get, HERE, list, modifiedMs, named, put, withFile } from "./case-tools.ts";
import type { Case } from "./cases.ts";

const { O_RDWR, O_CREAT, O_WRONLY, O_APPEND, O_DIRECT, O_SYNC, O_DSYNC, O_RDONLY } = linux;
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

const bytes = (text: string) => Buffer.from(text);
const write = (fd: number, text: string, at: number) =>
  named(linux.pwrite(fd, bytes(text), text.length, at));
const digits = (length: number) =>
  Buffer.from(Array.from({ length }, (_, at) => 48 + ((at * 7) % 10)));

/** O_DIRECT wants memory that starts at a block's boundary. */
function aligned(length: number): Uint8Array {
  const memory = new Uint8Array(length + 4096);
  const skip = (4096 - Number(addressOf(memory) % 4096n)) % 4096;
  return memory.subarray(skip, skip + length);
}

export const DATA_CASES: readonly Case[] = [
  ["write and read back", () => [put("a", "hello"), get("a"), facts("a")]],
  [
    "write past the end leaves zeros",
    () => withFile("a", O_RDWR | O_CREAT, (fd) => [write(fd, "x", 10), get("a"), facts("a")]),
  ],
  [
    "a megabyte and more at odd offsets",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => {
        const data = digits(1_500_001);
        const written = linux.pwrite(fd, data, data.length, 777);
        const back = Buffer.alloc(1_500_001);
        const read = linux.pread(fd, back, back.length, 777);
        return [written, read, back.equals(data)];
      }),
  ],
  [
    "overwrite in the middle",
    () => [put("a", "0123456789"), withFile("a", O_RDWR, (fd) => write(fd, "AB", 4)), get("a")],
  ],
  [
    "append",
    () => {
      put("a", "1");
      appendFileSync("a", "2");
      return withFile("a", O_WRONLY | O_APPEND, (fd) => [
        linux.write(fd, bytes("34"), 2),
        get("a"),
      ]);
    },
  ],
  [
    "two appenders take turns",
    () =>
      withFile("a", O_WRONLY | O_CREAT | O_APPEND, (one) =>
        withFile("a", O_WRONLY | O_APPEND, (two) => {
          for (let n = 0; n < 5; n += 1) {
            linux.write(one, bytes("a"), 1);
            linux.write(two, bytes("b"), 1);
          }
          return get("a");
        }),
      ),
  ],
  [
    "read past the end",
    () => [
      put("a", "12"),
      withFile("a", O_RDONLY, (fd) => [
        linux.pread(fd, Buffer.alloc(9), 9, 1),
        linux.pread(fd, Buffer.alloc(9), 9, 5),
      ]),
    ],
  ],
  [
    "write to a file opened for reading",
    () => [put("a", ""), withFile("a", O_RDONLY, (fd) => write(fd, "x", 0))],
  ],
  [
    "read from a file opened for writing",
    () => [
      put("a", "1"),
      withFile("a", O_WRONLY, (fd) => named(linux.pread(fd, Buffer.alloc(1), 1, 0))),
    ],
  ],
  [
    "truncate shorter and longer",
    () => [
      put("a", "0123456789"),
      named(linux.truncate(c("a"), 4)),
      get("a"),
      named(linux.truncate(c("a"), 8)),
      get("a"),
      facts("a"),
    ],
  ],
  [
    "ftruncate",
    () => withFile("a", O_RDWR | O_CREAT, (fd) => [named(linux.ftruncate(fd, 3)), facts("a")]),
  ],
  [
    "truncate of a file that is not open for writing",
    () => [put("a", "1"), withFile("a", O_RDONLY, (fd) => named(linux.ftruncate(fd, 3)))],
  ],
  [
    "an offset beyond what files can have",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => [
        named(linux.pwrite(fd, bytes("x"), 1, 2n ** 63n - 1n)),
        named(linux.ftruncate(fd, -1)),
      ]),
  ],
  [
    "a large sparse file",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => [
        write(fd, "end", 2 ** 40),
        facts("a"),
        named(linux.lseek(fd, 0, SEEK_DATA)),
      ]),
  ],
  [
    "holes are found",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => {
        const block = digits(65_536);
        linux.pwrite(fd, block, block.length, 0);
        linux.pwrite(fd, block, block.length, 1 << 20);
        return [
          named(linux.lseek(fd, 0, SEEK_HOLE)),
          named(linux.lseek(fd, 65_536, SEEK_DATA)),
          named(linux.lseek(fd, 2 << 20, SEEK_DATA)),
        ];
      }),
  ],
  [
    "fallocate",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => [
        named(linux.fallocate(fd, 0, 0, 10_000)),
        facts("a"),
        named(linux.fallocate(fd, KEEP_SIZE, 0, 50_000)),
        facts("a"),
      ]),
  ],
  [
    "punching a hole",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => {
        const data = digits(16_384);
        linux.pwrite(fd, data, data.length, 0);
        const punched = named(linux.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 4096, 8192));
        return [punched, named(linux.lseek(fd, 0, SEEK_HOLE)), facts("a"), get("a").length];
      }),
  ],
  [
    "zeroing a range",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => {
        const data = digits(9000);
        linux.pwrite(fd, data, data.length, 0);
        return [named(linux.fallocate(fd, ZERO_RANGE, 100, 5000)), get("a").slice(90, 110)];
      }),
  ],
  [
    "copy_file_range",
    () => {
      put("a", digits(3_000_000));
      return withFile("a", O_RDONLY, (from) =>
        withFile("b", O_RDWR | O_CREAT, (to) => {
          const copied = linux.copyFileRange(from, null, to, null, 3_000_000, 0);
          return [copied > 0, get("b").slice(0, 20)];
        }),
      );
    },
  ],
  [
    "fsync and fdatasync, also of a directory",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => [
        write(fd, "x", 0),
        named(linux.fsync(fd)),
        named(linux.fdatasync(fd)),
        withFile(".", O_RDONLY, (directory) => named(linux.fsync(directory))),
      ]),
  ],
  [
    "O_SYNC and O_DSYNC",
    () => [
      withFile("a", O_RDWR | O_CREAT | O_SYNC, (fd) => write(fd, "1", 0)),
      withFile("a", O_RDWR | O_DSYNC, (fd) => write(fd, "2", 1)),
      get("a"),
    ],
  ],
  [
    "O_DIRECT",
    () =>
      withFile("a", O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, (fd) => {
        const memory = aligned(1 << 20);
        return [named(linux.pwrite(fd, memory.fill(65), 1 << 20, 0)), facts("a")];
      }),
  ],
  [
    "writing and reading after unlink",
    () =>
      withFile("a", O_RDWR | O_CREAT, (fd) => {
        linux.unlinkat(HERE, c("a"), 0);
        const written = write(fd, "ghost", 0);
        const back = Buffer.alloc(5);
        linux.pread(fd, back, 5, 0);
        return [written, back.toString(), list("."), named(linux.fchmod(fd, 0o600))];
      }),
  ],
  [
    "writing after a rename took its name",
    () => [
      put("b", "new"),
      withFile("a", O_RDWR | O_CREAT, (fd) => [
        named(linux.renameat2(HERE, c("b"), HERE, c("a"), 0)),
        write(fd, "old", 0),
        get("a"),
      ]),
    ],
  ],
  [
    "O_TMPFILE, then a name",
    () =>
      withFile(".", O_RDWR | linux.O_TMPFILE, (fd) => [
        write(fd, "born nameless", 0),
        list("."),
        named(linux.linkat(HERE, linux.descriptorPath(fd), HERE, c("a"), linux.AT_SYMLINK_FOLLOW)),
        write(fd, "B", 0),
        get("a"),
        facts("a"),
      ]),
  ],
  [
    "O_TMPFILE with O_EXCL gets no name",
    () =>
      withFile(".", O_RDWR | linux.O_TMPFILE | linux.O_EXCL, (fd) =>
        named(linux.linkat(HERE, linux.descriptorPath(fd), HERE, c("a"), linux.AT_SYMLINK_FOLLOW)),
      ),
  ],
  [
    "a write moves the modification time on",
    () => {
      put("a", "1");
      linux.utimensat(HERE, c("a"), new Uint8Array(32), 0);
      const before = modifiedMs("a");
      withFile("a", O_WRONLY, (fd) => write(fd, "2", 0));
      return [before, modifiedMs("a") > 1e12];
    },
  ],
  [
    "a new name moves its directory's modification time on",
    () => {
      linux.utimensat(HERE, c("."), new Uint8Array(32), 0);
      const before = modifiedMs(".");
      put("a", "");
      return [before, modifiedMs(".") > 1e12];
    },
  ],
];
