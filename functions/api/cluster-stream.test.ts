import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { Changes, ClusterSnapshot } from "#model/contract/snapshot.ts";
import { TestServer } from "../testing/test-server.ts";
import { STREAMS_MAX } from "./change-routes.ts";

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.stop());

interface Frame {
  readonly event: string;
  readonly id: number | null;
  readonly data: unknown;
}
interface Reader {
  readonly frames: readonly Frame[];
  /** Resolves with the frames once they satisfy `isEnough`; fails after a bound. */
  until(isEnough: (frames: readonly Frame[]) => boolean): Promise<readonly Frame[]>;
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  close(): void;
}

const BOUND_MS = 8_000;

/** A reader of the stream, as an EventSource is one. */
function read(path: string, headers: Record<string, string> = {}): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${server.secret}`;
    const sent = request(`${server.served.apiUrl}${path}`, {
      headers: { authorization, ...headers },
    });
    sent.on("error", reject);
    sent.on("response", (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        return reject(new Error(`${response.statusCode}`));
      }
      const frames: Frame[] = [];
      const watchers = new Set<() => void>();
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        frames.push(...blocks.map(parse).filter((frame) => frame !== null));
        for (const watch of watchers) watch();
      });
      const ended = new Promise<void>((end) => response.on("close", () => end()));
      const until: Reader["until"] = (isEnough) =>
        new Promise((done, fail) => {
          const timer = setTimeout(
            () => fail(new Error(`got ${JSON.stringify(frames)}`)),
            BOUND_MS,
          );
          const watch = () => {
            if (!isEnough(frames)) return;
            clearTimeout(timer);
            watchers.delete(watch);
            done(frames);
          };
          watchers.add(watch);
          watch();
        });
      resolve({ frames, until, ended, close: () => sent.destroy() });
    });
    sent.end();
  });
}

function parse(block: string): Frame | null {
  const field = (name: string) =>
    block
      .split("\n")
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = field("data");
  if (data === undefined) return null;
  const id = field("id");
  const json: unknown = JSON.parse(data);
  return { event: field("event") ?? "", id: id === undefined ? null : Number(id), data: json };
}

const STREAM = "/v1/clusters/prod/stream";
let made = 0;
/** One event each: a change of the cluster's settings is told. */
async function makeEvents(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    made += 1;
    const timers = made % 2 === 0 ? "fast" : "tolerant";
    await server.admin("PUT", "/v1/clusters/prod", { timers });
  }
}
const events = (frames: readonly Frame[]) => frames.filter((frame) => frame.event === "event");

describe("the stream of a cluster", () => {
  test("begins with a snapshot and goes on with every event and change", async () => {
    const reader = await read(STREAM);
    const [first] = await reader.until((frames) => frames.length > 0);
    const snapshot = ClusterSnapshot.parse(first?.data);
    expect(first?.event).toBe("snapshot");
    expect(first?.id).toBe(snapshot.lastSeq);
    await makeEvents(2);
    const frames = await reader.until((seen) => events(seen).length === 2);
    expect(events(frames).map((frame) => frame.id)).toEqual([
      snapshot.lastSeq + 1,
      snapshot.lastSeq + 2,
    ]);
    await reader.until((seen) => seen.some((frame) => frame.event === "change"));
    const change = frames.findLast((frame) => frame.event === "change");
    expect(change?.data).toMatchObject({ part: "cluster" });
    reader.close();
  });

  test("resumes after the last event a reader had, without gap or double, over a restart", async () => {
    const before = await read(STREAM);
    await before.until((frames) => frames.length > 0);
    await makeEvents(3);
    const seen = await before.until((frames) => events(frames).length === 3);
    const lastId = events(seen).at(-1)?.id ?? 0;
    await server.restart();
    await before.ended;
    await makeEvents(3);
    const after = await read(STREAM, { "last-event-id": `${lastId}` });
    const more = await after.until((frames) => events(frames).length === 3);
    expect(more.some((frame) => frame.event === "snapshot")).toBe(false);
    expect(events(more).map((frame) => frame.id)).toEqual([lastId + 1, lastId + 2, lastId + 3]);
    // What was missed of the state comes with it: the newest of each part.
    await after.until((frames) => frames.some((frame) => frame.event === "change"));
    after.close();
  });

  test("gives a fresh snapshot to a reader of numbers that are not ours", async () => {
    const reader = await read(STREAM, { "last-event-id": "999999" });
    const [first] = await reader.until((frames) => frames.length > 0);
    expect(first?.event).toBe("snapshot");
    reader.close();
  });

  test("forgets a reader who has gone, and turns away more than its bound", async () => {
    const readers = await Promise.all(Array.from({ length: STREAMS_MAX }, () => read(STREAM)));
    await expect(read(STREAM)).rejects.toThrow("429");
    for (const reader of readers) reader.close();
    const deadlineMs = Date.now() + BOUND_MS;
    let again: Reader | null = null;
    while (again === null && Date.now() < deadlineMs) again = await read(STREAM).catch(() => null);
    expect(again).not.toBeNull();
    again?.close();
  });
});

describe("the poll of a cluster", () => {
  const poll = async (query: string) =>
    Changes.parse((await server.admin("GET", `/v1/clusters/prod/changes${query}`)).json);

  test("answers the same events, and the parts that changed since the revision seen", async () => {
    const start = await poll("");
    expect(start.snapshot?.lastSeq).toBe(start.lastSeq);
    await makeEvents(2);
    const next = await poll(`?after=${start.lastSeq}&revision=${start.revision}`);
    expect(next.snapshot).toBeNull();
    expect(next.events.map((event) => event.seq)).toEqual([start.lastSeq + 1, start.lastSeq + 2]);
    expect(next.changes.map((change) => change.part)).toEqual(["cluster"]);
    const calm = await poll(`?after=${next.lastSeq}&revision=${next.revision}`);
    expect(calm).toMatchObject({ events: [], changes: [], lastSeq: next.lastSeq });
  });

  test("answers a snapshot to numbers from another store", async () => {
    expect((await poll("?after=999999")).snapshot).not.toBeNull();
  });

  test("the log is the same for whoever reads it later", async () => {
    const page = await server.admin("GET", "/v1/clusters/prod/events?after=0&limit=500");
    const all = z.object({ events: z.array(z.object({ seq: z.int() })) }).parse(page.json).events;
    expect(all.map((event) => event.seq)).toEqual(all.map((_, index) => index + 1));
  });
});
