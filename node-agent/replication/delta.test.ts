import { existsSync, promises as fs, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readRecordNow } from "./change-store.ts";
import type { EngineEvent } from "./engine.ts";
import { fullWantedMarker } from "./incomplete-marker.ts";
import { must, type TestNode, TestPair } from "./testing/pair.ts";

/** Real mounts. */
const NEEDS = "(needs root and FUSE)";
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");
const OPTIONS = { options: { replTimeoutMs: 300 } };

/** How the last resync that `node` reported compared, and what it sent. */
function lastResync(node: TestNode): { kind: string; why: string; bytesSent: number } {
  const all = node.events.filter((event) => event.kind === "resyncProgress");
  const last: Extract<EngineEvent, { kind: "resyncProgress" }> | undefined = all.at(-1);
  const comparison = last?.progress.comparison;
  if (last === undefined || comparison == null) throw new Error("no resync was reported");
  return { ...comparison, bytesSent: last.progress.bytesSent };
}

describe.skipIf(!canMount)(`a node that returns ${NEEDS}`, { timeout: 60_000 }, () => {
  let pair: TestPair;

  beforeEach(async () => {
    pair = new TestPair();
    await fs.mkdir(join(pair.a.tree(), "untouched"), { recursive: true });
    for (let name = 0; name < 300; name += 1) {
      await fs.writeFile(join(pair.a.tree(), "untouched", `${name}`), Buffer.alloc(2000, name));
    }
    await fs.writeFile(join(pair.a.tree(), "database"), Buffer.alloc(16 * 1024 * 1024, 1));
  });
  afterEach(async () => {
    await pair.close();
  });

  /** A difference where nobody touched anything: whoever compares everything takes it away. */
  const setTrap = (root: string): void => writeFileSync(join(root, "untouched/7"), "trap");
  const trapOf = (node: TestNode): string => {
    return readFileSync(join(node.real(), "untouched/7"), "utf8");
  };

  async function write(node: TestNode, offset: number, text: string): Promise<void> {
    const file = await fs.open(join(node.tree(), "database"), "r+");
    await file.write(text, offset);
    await file.close();
  }

  test("gets what was written while it was away, and nothing else is looked at", async () => {
    await pair.open(OPTIONS);
    await pair.attach();
    expect(lastResync(pair.a).kind).toBe("full");
    pair.relay.cut({ refuse: true });
    await pair.a.saw("detached");
    await must(pair.a.engine.acknowledgeAlone(1));
    setTrap(pair.b.real());
    await write(pair.a, 5_000_000, "alone");
    await fs.mkdir(join(pair.a.tree(), "new/below"), { recursive: true });
    await fs.writeFile(join(pair.a.tree(), "new/below/file"), "alone");
    await fs.rename(join(pair.a.tree(), "untouched/8"), join(pair.a.tree(), "new/8"));
    pair.relay.heal();
    pair.a.events.length = 0;
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    const { kind, bytesSent } = lastResync(pair.a);
    expect(kind).toBe("delta");
    expect(bytesSent).toBeLessThan(60_000);
    expect(trapOf(pair.b)).toBe("trap");
    expect(readFileSync(join(pair.b.real(), "new/below/file"), "utf8")).toBe("alone");
    expect(pair.differences().filter((one) => !one.includes("untouched/7"))).toEqual([]);
  });

  test("as former primary loses what nobody else has, and gets what was written since", async () => {
    await pair.open(OPTIONS);
    await pair.attach();
    await write(pair.a, 1_000_000, "acknowledged");
    await fs.writeFile(join(pair.a.tree(), "young"), "acknowledged");
    // A dies with operations under way: they are on its disk and on nobody else's.
    pair.relay.cut({ refuse: true });
    const lost = [
      write(pair.a, 9_000_000, "never answered"),
      fs.writeFile(join(pair.a.tree(), "untouched/12"), "never answered"),
      fs.writeFile(join(pair.a.tree(), "never"), "never answered"),
      fs.rename(join(pair.a.tree(), "young"), join(pair.a.tree(), "untouched/13")),
    ].map((one) => one.catch(() => undefined));
    await pair.a.saw("detached");
    const before = pair.a;
    await before.close();
    await Promise.all(lost);
    await pair.promote();
    setTrap(before.tree());
    await write(pair.b, 2_000_000, "by the new primary");
    await pair.comeBack();
    expect(lastResync(pair.b).kind).toBe("delta");
    expect(trapOf(pair.a)).toBe("trap");
    expect(existsSync(join(pair.a.real(), "never"))).toBe(false);
    expect(pair.differences().filter((one) => !one.includes("untouched/7"))).toEqual([]);
  });

  test("after a restart of the primary's agent only what it noted is compared", async () => {
    await pair.open(OPTIONS);
    await pair.attach();
    await write(pair.a, 1_000_000, "of both");
    pair.relay.cut({ refuse: true });
    const lost = write(pair.a, 9_000_000, "under way").catch(() => undefined);
    await fs.access(pair.folder);
    await pair.a.saw("detached");
    await pair.a.close();
    await lost;
    pair.relay.heal();
    // The same epoch goes on: its agent is started again and finds its record.
    await pair.reopen("a");
    setTrap(pair.b.real());
    pair.a.holdLease(1);
    await must(pair.a.engine.serve({ epoch: 1, ackBy: "none" }));
    await write(pair.a, 3_000_000, "alone");
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    expect(lastResync(pair.a).kind).toBe("delta");
    expect(trapOf(pair.b)).toBe("trap");
    expect(pair.differences().filter((one) => !one.includes("untouched/7"))).toEqual([]);
  });

  test("is not asked about what was on both disks at a durable point", async () => {
    await pair.open({ options: { ...OPTIONS.options, durablePointMs: 100 } });
    await pair.attach();
    const pointOn = (node: TestNode): string => {
      const found = readRecordNow(join(node.folder, "state"), [node.rootFd()]);
      return found.kind === "record" ? found.point : found.why;
    };
    const first = pointOn(pair.b);
    await write(pair.a, 5_000_000, "before the point");
    // Cold from the third point on: until then it stays in the primary's log.
    for (let points = 0; points < 3; points += 1) {
      const last = pointOn(pair.b);
      await expect.poll(() => pointOn(pair.b), { timeout: 5000 }).not.toBe(last);
      await expect.poll(() => pointOn(pair.a), { timeout: 5000 }).toBe(pointOn(pair.b));
      await fs.writeFile(join(pair.a.tree(), "ticks"), `${points}`);
    }
    expect(pointOn(pair.b)).not.toBe(first);
    pair.relay.cut({ refuse: true });
    await pair.a.saw("detached");
    const before = pair.a;
    await before.close();
    pair.relay.heal();
    // Differences where both copies are known to be equal: nobody finds them but who looks.
    const trap = await fs.open(join(pair.b.real(), "database"), "r+");
    await trap.write("after the point!", 5_000_000);
    await trap.close();
    await pair.promote();
    await write(pair.b, 2_000_000, "by the new primary");
    await pair.comeBack();
    expect(lastResync(pair.b).kind).toBe("delta");
    const copy = readFileSync(join(pair.a.real(), "database"));
    expect(copy.toString("latin1", 5_000_000, 5_000_016)).toBe("before the point");
    expect(copy.toString("latin1", 2_000_000, 2_000_018)).toBe("by the new primary");
  });

  test("is compared wholly when a person asks, or its record is damaged", async () => {
    await pair.open(OPTIONS);
    await pair.attach();
    setTrap(pair.b.real());
    pair.relay.cut({ refuse: true });
    await pair.a.saw("detached");
    pair.relay.heal();
    await must(pair.a.engine.acknowledgeAlone(1));
    pair.a.events.length = 0;
    fullWantedMarker(join(pair.b.folder, "state")).set();
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    expect(lastResync(pair.a).kind).toBe("full");
    expect(lastResync(pair.a).why).toContain("a person asked for it");
    expect(pair.differences()).toEqual([]);

    setTrap(pair.b.real());
    pair.relay.cut({ refuse: true });
    pair.a.events.length = 0;
    await pair.a.saw("detached");
    pair.relay.heal();
    await must(pair.a.engine.acknowledgeAlone(1));
    const record = join(pair.b.folder, "state", "changes");
    const bytes = readFileSync(record);
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    writeFileSync(record, bytes);
    pair.a.events.length = 0;
    await must(pair.a.engine.startResync({ epoch: 1 }));
    await pair.a.saw("attached");
    expect(lastResync(pair.a).kind).toBe("full");
    expect(pair.differences()).toEqual([]);
    expect(statSync(record).size).toBeGreaterThan(0);
  });
});
