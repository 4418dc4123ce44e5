import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { DirtySet } from "#model/replication/dirty-set.ts";
import * as file from "../adapters/linux/file.ts";
import { cString } from "../adapters/linux/library.ts";
import { Pair } from "./testing/pair.ts";
import { decodeRecord } from "./wire.ts";

const pair = new Pair({ inMemory: true });
afterAll(() => pair.close());
beforeEach(() => pair.empty());

const at = (path: string): string => join(pair.source, path);
const write = (path: string, size: number, fill = 1): void =>
  fs.writeFileSync(at(path), Buffer.alloc(size, fill));

const fileAt = (path: string) => ({ inode: fs.statSync(at(path)).ino });

/** Changes of the application, each reported as the FUSE server does. */
class Application {
  readonly dirty = new DirtySet();

  write(path: string, offset: number, size: number, fill: number): void {
    const fd = fs.openSync(at(path), "r+");
    fs.writeSync(fd, Buffer.alloc(size, fill), 0, size, offset);
    fs.closeSync(fd);
    this.dirty.changedFile(0, Buffer.from(path), {
      ...fileAt(path),
      offsetBytes: offset,
      lengthBytes: size,
    });
  }
  create(path: string, size: number): void {
    write(path, size, 9);
    this.added(path);
  }
  unlink(path: string): void {
    fs.unlinkSync(at(path));
    this.removed(path);
  }
  link(from: string, to: string): void {
    fs.linkSync(at(from), at(to));
    this.dirty.changedFile(0, Buffer.from(from), fileAt(from));
    this.added(to);
  }
  rename(from: string, to: string): void {
    fs.renameSync(at(from), at(to));
    this.removed(from);
    this.added(to);
  }
  added(path: string): void {
    this.removed(path);
    this.dirty.changedSubtree(0, Buffer.from(path));
  }
  removed(path: string): void {
    const slash = path.lastIndexOf("/");
    this.dirty.changedDirectory(0, Buffer.from(path.slice(0, Math.max(slash, 0))));
  }
}

/**
 * A run in which the application acts right before the first, second, ... time that the dirty set
 * is taken: after the pass that compares everything, and so on.
 */
async function runWith(
  ...acts: readonly ((application: Application) => void)[]
): Promise<{ bytesSent: number; passes: number; pausedMs: number }> {
  const application = new Application();
  const left = [...acts];
  const takeDirty = () => {
    left.shift()?.(application);
    return application.dirty.take();
  };
  const { source, target } = await pair.run({ core: { takeDirty } });
  if (!source.ok || !target.ok) throw new Error(JSON.stringify([source, target]));
  expect(left).toEqual([]);
  expect(pair.differences()).toEqual([]);
  return source.value;
}

describe("after the first pass a resync catches up with", () => {
  test("a write into a big file, by looking at that part only", async () => {
    write("big", 30_000_000);
    await runWith();
    const { bytesSent } = await runWith((application) => {
      application.write("big", 20_000_000, 100, 7);
    });
    expect(bytesSent).toBeLessThan(60_000);
  });

  test("a truncation, whose old end must not come back when the file grows again", async () => {
    write("a", 300_000);
    await runWith((application) => {
      fs.truncateSync(at("a"), 100_000);
      application.dirty.changedFile(0, Buffer.from("a"), { ...fileAt("a"), offsetBytes: 100_000 });
      application.write("a", 290_000, 10_000, 3);
    });
  });

  test("a directory that was changed below and then renamed", async () => {
    fs.mkdirSync(at("old/deep"), { recursive: true });
    write("old/deep/file", 1000);
    await runWith((application) => {
      application.write("old/deep/file", 0, 1000, 5);
      application.rename("old", "new");
    });
  });

  test("a directory renamed onto an emptied one of the same content", async () => {
    for (const path of ["a", "b"]) {
      fs.mkdirSync(at(path));
      write(`${path}/x`, 1000, path === "a" ? 1 : 2);
    }
    await runWith((application) => {
      application.unlink("b/x");
      application.rename("a", "b");
    });
  });

  test("names gone from a directory of thousands, without looking at each file", async () => {
    for (let count = 0; count < 5000; count += 1) write(`f${count}`, 0);
    await runWith();
    const { bytesSent } = await runWith((application) => {
      application.unlink("f77");
      application.create("g", 10);
    });
    // A pass that compares everything sends some 90 bytes a file; the names alone are 8.
    expect(bytesSent).toBeLessThan(5000 * 90 + 5000 * 10 + 2000);
  });

  test("a change that comes while the core is being paused", async () => {
    write("a", 10);
    const { passes } = await runWith(
      () => {},
      (application) => application.write("a", 0, 5, 8),
    );
    expect(passes).toBe(2);
  });

  test("too much for the last pass: it goes on first", async () => {
    write("a", 10);
    const { passes } = await runWith(
      () => {},
      (application) => application.create("big", 30_000_000),
    );
    // The second was to be the last, the third went on, the fourth was the last.
    expect(passes).toBe(4);
  });
});

describe("hard links do not hide a change from a resync", () => {
  test("made through a name that is removed before anyone looks", async () => {
    write("a", 1000);
    fs.linkSync(at("a"), at("b"));
    await runWith((application) => {
      application.write("b", 500, 10, 7);
      application.unlink("b");
    });
  });

  test("made through a name that is another file by then", async () => {
    write("a", 1000);
    write("c", 50);
    fs.linkSync(at("a"), at("b"));
    await runWith((application) => {
      application.write("b", 500, 10, 7);
      application.rename("c", "b");
    });
  });

  test("made through a name that came and went in between", async () => {
    write("a", 1000);
    await runWith((application) => {
      application.link("a", "b");
      application.write("b", 500, 10, 7);
      application.unlink("b");
    });
  });

  test("made in a directory that is renamed with one of the names in it", async () => {
    fs.mkdirSync(at("d"));
    write("a", 1000);
    fs.linkSync(at("a"), at("d/b"));
    await runWith((application) => {
      application.write("d/b", 0, 10, 7);
      application.rename("d", "e");
    });
    expect(fs.statSync(join(pair.target, "a")).ino).toBe(fs.statSync(join(pair.target, "e/b")).ino);
  });

  test("when a name goes from a directory that is looked at later", async () => {
    fs.mkdirSync(at("z"));
    write("a", 1000);
    for (const name of ["b", "d", "z/c"]) fs.linkSync(at("a"), at(name));
    await runWith((application) => {
      application.write("a", 0, 10, 7);
      application.unlink("z/c");
    });
  });

  test("when its first name becomes another file before its content is read", async () => {
    fs.mkdirSync(at("d"));
    write("a", 1000, 1);
    write("c", 1000, 2);
    fs.linkSync(at("a"), at("d/b"));
    const application = new Application();
    let isRenamed = false;
    const { target } = await pair.run({
      core: { takeDirty: () => application.dirty.take() },
      channel: (channel) => ({
        send: (record) => {
          channel.send(record);
          const decoded = decodeRecord(record);
          if (isRenamed || !decoded.ok || decoded.value[0]?.kind !== "list") return;
          isRenamed = true;
          application.rename("c", "a");
        },
        receive: (timeoutMs) => channel.receive(timeoutMs),
        close: () => channel.close(),
      }),
    });
    expect(target).toMatchObject({ ok: true });
    expect(pair.differences()).toEqual([]);
  });

  test("made through a new name of a moved one, which is another file by then", async () => {
    write("a", 1000);
    write("c", 50);
    fs.linkSync(at("a"), at("b"));
    await runWith((application) => {
      application.rename("b", "d");
      application.write("d", 500, 10, 7);
      application.rename("c", "d");
    });
  });

  test("of its attributes, through a new name that is gone by then", async () => {
    write("a", 1000);
    fs.linkSync(at("a"), at("b"));
    await runWith((application) => {
      application.rename("b", "d");
      fs.chmodSync(at("d"), 0o600);
      application.dirty.changedFile(0, Buffer.from("d"), { ...fileAt("d"), lengthBytes: 0 });
      application.unlink("d");
    });
  });

  test("made below a new name of a directory that is gone by then", async () => {
    fs.mkdirSync(at("d"));
    write("a", 1000);
    fs.linkSync(at("a"), at("d/b"));
    await runWith((application) => {
      application.rename("d", "e");
      application.write("e/b", 500, 10, 7);
      application.unlink("e/b");
      fs.rmdirSync(at("e"));
      application.removed("e");
    });
  });

  test("made through a name that goes before the first pass comes by", async () => {
    fs.mkdirSync(at("d"));
    // Equal on both sides, so that nothing makes the first pass read it a second time.
    for (const root of [pair.source, pair.target]) fs.writeFileSync(join(root, "a"), "0123456789");
    for (const name of ["b", "c"]) fs.linkSync(at("a"), at(`d/${name}`));
    const application = new Application();
    let isWritten = false;
    const { target } = await pair.run({
      core: { takeDirty: () => application.dirty.take() },
      channel: (channel) => ({
        send: (record) => {
          channel.send(record);
          const decoded = decodeRecord(record);
          // "a" has been read, and "d" is listed next.
          if (isWritten || !decoded.ok || decoded.value.every((o) => o.kind !== "list")) return;
          isWritten = true;
          const { mtime } = fs.statSync(at("a"));
          application.write("d/b", 3, 4, 7);
          fs.utimesSync(at("a"), mtime, mtime);
          application.unlink("d/b");
        },
        receive: (timeoutMs) => channel.receive(timeoutMs),
        close: () => channel.close(),
      }),
    });
    expect(isWritten).toBe(true);
    expect(target).toMatchObject({ ok: true });
    expect(pair.differences()).toEqual([]);
  });

  test("and fifos with two names stay one", async () => {
    fs.mkdirSync(at("d"));
    file.mknodat(file.AT_FDCWD, cString(at("f")), file.S_IFIFO | 0o600, 0);
    fs.linkSync(at("f"), at("d/g"));
    await runWith((application) => application.rename("d", "e"));
  });

  test("when one of the names lies outside the tree", async () => {
    write("a", 1000);
    const outside = join(pair.folder, "outside");
    fs.linkSync(at("a"), outside);
    const { passes } = await runWith((application) => application.write("a", 0, 10, 7));
    fs.rmSync(outside);
    expect(passes).toBe(2);
  });

  test("made through a link, with the older name removed", async () => {
    write("a", 1000);
    await runWith(
      (application) => application.link("a", "b"),
      (application) => {
        application.write("a", 0, 10, 7);
        application.unlink("a");
      },
    );
  });
});
