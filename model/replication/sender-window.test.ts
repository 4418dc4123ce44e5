import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Need, SenderWindow } from "./sender-window.ts";

function newWindow(limits = { operationsMax: 100, bytesMax: 1000 }) {
  const released: string[] = [];
  const window = new SenderWindow<string>((tag) => released.push(tag), limits);
  const submit = (tag: string | null, need: Need = "applied", nowMs = 0, bytes = 10) =>
    window.submit({ tag, need, nowMs, bytes });
  return { window, released, submit };
}

describe("the window of a sender", () => {
  test("releases at once while the peer is not required, attached or not", () => {
    const { window, released, submit } = newWindow();
    expect(submit("a")).toBeNull();
    window.attach();
    expect(submit("b")).toBe(1);
    expect(released).toEqual(["a", "b"]);
    expect(window.unacknowledgedCount).toBe(1);
  });

  test("with the peer required, releases by its acknowledgement only, in order", () => {
    const { window, released, submit } = newWindow();
    window.attach();
    window.requirePeer();
    for (const tag of ["a", "b", "c"]) submit(tag);
    expect(released).toEqual([]);
    window.acknowledgeApplied(2);
    expect(released).toEqual(["a", "b"]);
    window.acknowledgeApplied(1);
    window.acknowledgeApplied(3);
    expect(released).toEqual(["a", "b", "c"]);
  });

  test("what needs nothing of the peer is released at once, and travels in its place", () => {
    const { window, released, submit } = newWindow();
    window.attach();
    window.requirePeer();
    submit("create");
    expect(submit("plain", "nothing")).toBe(2);
    submit("sync", "durable");
    expect(released).toEqual(["plain"]);
    expect(window.unacknowledgedCount).toBe(3);
    window.acknowledgeApplied(1);
    expect(released).toEqual(["plain", "create"]);
    window.acknowledgeDurable(3);
    expect(released).toEqual(["plain", "create", "sync"]);
    expect(window.unacknowledgedCount).toBe(0);
  });

  test("what needs nothing still fills the window, and is not waited for when it is lost", () => {
    const { window, released, submit } = newWindow({ operationsMax: 2, bytesMax: 1000 });
    window.attach();
    window.requirePeer();
    submit("a", "nothing");
    submit("b", "nothing");
    expect(window.isFull).toBe(true);
    window.detach();
    expect(window.unacknowledgedCount).toBe(0);
    expect(released).toEqual(["a", "b"]);
  });

  test("an fsync is released when it is durable, not when it is applied; out of order too", () => {
    const { window, released, submit } = newWindow();
    window.attach();
    window.requirePeer();
    submit("sync1", "durable");
    submit("sync2", "durable");
    submit("write");
    window.acknowledgeApplied(3);
    expect(released).toEqual(["write"]);
    window.acknowledgeDurable(2);
    expect(released).toEqual(["write", "sync2"]);
    expect(window.undurableSequences()).toEqual([1]);
    window.acknowledgeDurable(1);
    expect(window.unacknowledgedCount).toBe(0);
  });

  test("an operation that waits in a lost attachment is released by a complete new one only", () => {
    const { window, released, submit } = newWindow();
    window.attach();
    window.requirePeer();
    submit("a");
    submit("sync", "durable");
    window.detach();
    submit("b");
    expect(released).toEqual([]);
    window.attach();
    submit("c");
    // The new attachment's first operation: it must not be taken for the old one's.
    window.acknowledgeApplied(1);
    expect(released).toEqual(["c"]);
    window.complete();
    expect(released).toEqual(["c", "a", "sync", "b"]);
  });

  test("alone, everything that waits is released", () => {
    const { window, released, submit } = newWindow();
    window.requirePeer();
    submit("a");
    window.attach();
    submit("b");
    submit("sync", "durable");
    window.acknowledgeApplied(2);
    window.stopRequiring();
    expect(released.sort()).toEqual(["a", "b", "sync"]);
    window.acknowledgeDurable(2);
    expect(released).toHaveLength(3);
  });

  test("an acknowledgement of what was never sent is an error and releases nothing", () => {
    const { window, released, submit } = newWindow();
    window.attach();
    window.requirePeer();
    submit("a");
    expect(window.acknowledgeApplied(2).ok).toBe(false);
    expect(window.acknowledgeDurable(2).ok).toBe(false);
    expect(released).toEqual([]);
  });

  test("is full at its bound of operations and of bytes, and open again after", () => {
    const { window, submit } = newWindow({ operationsMax: 3, bytesMax: 100 });
    window.attach();
    window.requirePeer();
    for (const tag of ["a", "b", "c"]) submit(tag);
    expect(window.isFull).toBe(true);
    window.acknowledgeApplied(1);
    expect(window.isFull).toBe(false);
    submit("big", "applied", 0, 90);
    expect(window.isFull).toBe(true);
    window.acknowledgeApplied(4);
    expect(window.isFull).toBe(false);
  });

  test("tells the age of the oldest operation without an answer, fsyncs included", () => {
    const { window, submit } = newWindow();
    window.attach();
    window.requirePeer();
    expect(window.oldestSubmittedAtMs()).toBeNull();
    submit("sync", "durable", 5);
    submit("a", "applied", 7);
    window.acknowledgeApplied(2);
    expect(window.oldestSubmittedAtMs()).toBe(5);
    window.acknowledgeDurable(1);
    expect(window.oldestSubmittedAtMs()).toBeNull();
  });

  test("whatever happens: no release twice, none without cause, none forgotten in the end", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("write", "sync") },
      fc.constantFrom("applied", "durable", "attach", "complete", "detach", "require"),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const released = new Map<number, number>();
        const window = new SenderWindow<number>((tag) =>
          released.set(tag, (released.get(tag) ?? 0) + 1),
        );
        let submitted = 0;
        for (const [at, kind] of steps.entries()) {
          const before = released.size;
          if (kind === "write" || kind === "sync") {
            const need = kind === "sync" ? "durable" : "applied";
            window.submit({ bytes: 1, need, tag: submitted, nowMs: at });
            submitted += 1;
            if (window.isPeerRequired) expect(released.size).toBe(before);
          } else if (kind === "applied") {
            window.acknowledgeApplied(Math.ceil(window.lastSequence / 2));
          } else if (kind === "durable") {
            window.acknowledgeDurable(window.undurableSequences()[0] ?? 0);
          } else if (kind === "attach") window.attach();
          else if (kind === "complete" && window.isAttached) window.complete();
          else if (kind === "detach") window.detach();
          else if (kind === "require") window.requirePeer();
          if (kind === "attach" || kind === "detach" || kind === "require") {
            expect(released.size).toBe(before);
          }
        }
        window.stopRequiring();
        expect(released.size).toBe(submitted);
        expect([...released.values()].every((times) => times === 1)).toBe(true);
      }),
    );
  });
});
