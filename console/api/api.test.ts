import { describe, expect, test } from "vitest";
import { FakeControlPlane } from "../fake-api/fake-control-plane.ts";
import { NOW_MS, snapshotOf } from "../fake-api/scenarios.ts";
import { ApiClient } from "./client.ts";
import { ClusterFeed, type FeedPorts } from "./cluster-feed.ts";
import { EVENTS_KEPT_MAX, fromSnapshot, withChange, withEvent, withPoll } from "./cluster-state.ts";
import { livenessOf } from "./liveness.ts";
import { FrameReader } from "./server-sent-events.ts";

const WAIT_MS_MAX = 5_000;
const until = async (isSo: () => boolean): Promise<void> => {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error("it did not come to pass");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

describe("frames of a stream", () => {
  test("are whole however the bytes are cut", () => {
    const text =
      'retry: 2000\n\n: ping\n\nid: 4\nevent: event\ndata: {"a":1}\n\nevent: change\r\ndata: x\r\ndata: y\r\n\r\n';
    const whole = new FrameReader().read(text);
    expect(whole).toEqual([
      { event: "event", data: '{"a":1}' },
      { event: "change", data: "x\ny" },
    ]);
    for (let cut = 1; cut < text.length; cut += 1) {
      const reader = new FrameReader();
      const frames = [...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))];
      expect(frames).toEqual(whole);
    }
  });

  test("have a bound", () => {
    const reader = new FrameReader();
    const chunk = `data: ${"x".repeat(4 * 1024 * 1024)}`;
    expect(() => {
      for (let turn = 0; turn < 4; turn += 1) reader.read(chunk);
    }).toThrow("without an end");
  });
});

describe("the state of a cluster", () => {
  const state = fromSnapshot(snapshotOf("normal"), NOW_MS - 500);
  const fake = new FakeControlPlane("normal");
  const next = fake.tell("one more");

  test("counts on by one event, drops what it has, and refuses a gap", () => {
    const extended = withEvent(state, next);
    expect(extended.ok && extended.value.events.at(-1)).toBe(next);
    expect(withEvent(state, { ...next, seq: state.seq })).toEqual({ ok: true, value: state });
    expect(withEvent(state, { ...next, seq: next.seq + 1 })).toEqual({ ok: false, error: "gap" });
  });

  test("keeps a bounded number of events", () => {
    let grown = state;
    for (let seq = state.seq + 1; seq <= EVENTS_KEPT_MAX + 50; seq += 1) {
      const one = withEvent(grown, { ...next, seq });
      if (one.ok) grown = one.value;
    }
    expect(grown.events).toHaveLength(EVENTS_KEPT_MAX);
    expect(grown.events.at(-1)?.seq).toBe(EVENTS_KEPT_MAX + 50);
  });

  test("replaces parts, and forgets what is gone", () => {
    const [module] = snapshotOf("down").modules;
    if (module === undefined) throw new Error("no module");
    const changed = withChange(state, module);
    expect(changed.modules.map(({ health }) => health)).toEqual(["Down"]);
    expect(withChange(changed, { part: "removed", revision: 99, id: "shop" }).modules).toEqual([]);
    const settings = { ...state.cluster.settings, nodes: state.cluster.settings.nodes.slice(0, 1) };
    const shrunk = withChange(state, { ...state.cluster, settings });
    expect(shrunk.nodes.map(({ id }) => id)).toEqual(["node1"]);
    const gone = withEvent(state, { ...next, kind: "configurationRemoved" });
    expect(gone.ok && gone.value.modules).toEqual([]);
  });

  test("knows how far the browser's clock is off", () => {
    expect(state.clockOffsetMs).toBe(500);
  });

  test("takes a poll only where it goes on", () => {
    const head = { storeId: "s", serverTimeMs: NOW_MS, lastSeq: next.seq, revision: 11 };
    const answer = { ...head, snapshot: null, events: [next], changes: [] };
    const polled = withPoll(state, answer, NOW_MS);
    expect(polled.ok && [polled.value.seq, polled.value.revision]).toEqual([next.seq, 11]);
    expect(withPoll(null, answer, NOW_MS).ok).toBe(false);
  });
});

describe("the connection in words", () => {
  const said = (kind: "streaming" | "polling" | "broken", silentMs: number) =>
    livenessOf({ kind, heardAtMs: 0, problem: null }, silentMs, () => "17:46:02").text;

  test.each([
    ["streaming", 1_000, "Live"],
    ["streaming", 26_000, "Reconnecting… 26 s"],
    ["streaming", 60_000, "Stale since 17:46:02"],
    ["polling", 1_000, "Polling every 5 s"],
    ["broken", 3_000, "Reconnecting… 3 s"],
    ["broken", 61_000, "Stale since 17:46:02"],
  ] as const)("%s, silent for %i ms: %s", (kind, silentMs, text) => {
    expect(said(kind, silentMs)).toBe(text);
  });
});

describe("the feed", () => {
  const open = (fake: FakeControlPlane, parts: Partial<FeedPorts> = {}) => {
    const api = new ApiClient(async (path, init) => fake.app.request(path, init));
    const ports: FeedPorts = {
      api,
      nowMs: () => performance.now(),
      isHidden: () => false,
      pause: (ms, signal) =>
        new Promise((resolve) => {
          const timer = setTimeout(resolve, Math.min(ms, 20));
          signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
        }),
      ...parts,
    };
    const feed = new ClusterFeed("prod", ports);
    const end = new AbortController();
    const running = feed.run(end.signal);
    const close = async () => {
      end.abort();
      await running;
    };
    return { feed, close };
  };

  test("shows the snapshot, then every change as it is told", async () => {
    const fake = new FakeControlPlane("normal");
    const { feed, close } = open(fake);
    await until(() => feed.view().state !== null);
    fake.tell("something new");
    fake.turnInto("unprotected");
    await until(() => feed.view().state?.modules[0]?.health === "Unprotected");
    expect(feed.view().state?.events.at(-1)?.text).toBe("something new");
    expect(feed.view().link.kind).toBe("streaming");
    await close();
  });

  test("goes on from its last event after a loss, with nothing twice and nothing missed", async () => {
    const fake = new FakeControlPlane("normal");
    let isAway = false;
    const api = new ApiClient(async (path, init) => {
      if (isAway) throw new TypeError("fetch failed");
      return fake.app.request(path, init);
    });
    const { feed, close } = open(fake, { api });
    await until(() => feed.view().state !== null);
    isAway = true;
    fake.dropStreams();
    await until(() => feed.view().link.kind === "broken");
    for (let count = 0; count < 3; count += 1) fake.tell(`while away ${count}`);
    isAway = false;
    await until(() => feed.view().state?.seq === 13);
    const seqs = feed.view().state?.events.map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 13 }, (_, index) => index + 1));
    expect(fake.streamsOpened.at(-1)).toBe("10");
    await close();
  });

  test("polls while the page is hidden, and holds no connection then", async () => {
    const fake = new FakeControlPlane("normal");
    const { feed, close } = open(fake, { isHidden: () => true });
    await until(() => feed.view().link.kind === "polling");
    fake.tell("told while hidden");
    await until(() => feed.view().state?.events.at(-1)?.text === "told while hidden");
    expect(fake.streamsOpened).toEqual([]);
    await close();
  });

  test("hangs up on a line that has gone silent", async () => {
    const fake = new FakeControlPlane("normal");
    let skippedMs = 0;
    const { feed, close } = open(fake, { nowMs: () => performance.now() + skippedMs });
    await until(() => feed.view().state !== null);
    skippedMs = 26_000;
    await until(() => fake.streamsOpened.length >= 2);
    await close();
  });

  test("says why when nobody is let in", async () => {
    const fake = new FakeControlPlane("normal");
    fake.isSignedIn = false;
    const { feed, close } = open(fake);
    await until(() => feed.view().link.problem !== null);
    expect(feed.view().link.problem).toEqual({ kind: "signedOut" });
    await close();
  });
});
