import { describe, expect, test } from "vitest";
import type { GuardedModule } from "./fence-order.ts";
import {
  DEAD_AGENT_GRACE_MS,
  GuardBook,
  HELD_MS_MAX,
  HUNG_AGENT_KILL_MS,
  LIVE_AGENT_GRACE_MS,
} from "./guard-book.ts";

const TARGETS = { addresses: [], cgroupPath: "/c", processMark: null, mounts: [] };
const UNTIL = 10_000;

const shop = (change: Partial<GuardedModule> = {}): GuardedModule => ({
  moduleId: "shop",
  leaseUntilBootMs: UNTIL,
  isFencedByAgent: false,
  targets: TARGETS,
  ...change,
});

function bookWith(module: GuardedModule, atMs = 9_000): GuardBook {
  const book = new GuardBook();
  book.note({ isMainHung: false, modules: [module] }, atMs);
  return book;
}

/** The agent goes on to report the same; true when the module is due at that instant. */
function isDueWithLiveAgent(book: GuardBook, module: GuardedModule, atMs: number): boolean {
  book.note({ isMainHung: false, modules: [module] }, atMs);
  return book.due(true, atMs).length > 0;
}

describe("with a live agent", () => {
  test("nothing is due while the lease lives", () => {
    expect(isDueWithLiveAgent(bookWith(shop()), shop(), UNTIL - 1)).toBe(false);
  });

  test("it gets time to fence by itself, and no more", () => {
    const book = bookWith(shop());
    expect(isDueWithLiveAgent(book, shop(), UNTIL + LIVE_AGENT_GRACE_MS - 1)).toBe(false);
    expect(isDueWithLiveAgent(book, shop(), UNTIL + LIVE_AGENT_GRACE_MS)).toBe(true);
  });

  test("what it has fenced itself is left to it", () => {
    const fenced = shop({ isFencedByAgent: true });
    expect(isDueWithLiveAgent(bookWith(shop()), fenced, UNTIL + 60_000)).toBe(false);
  });

  test("a lease that vanishes ends like one that runs out", () => {
    const book = bookWith(shop());
    const gone = shop({ leaseUntilBootMs: null });
    expect(isDueWithLiveAgent(book, gone, 9_100)).toBe(false);
    expect(isDueWithLiveAgent(book, gone, 9_100 + LIVE_AGENT_GRACE_MS)).toBe(true);
  });

  test("before the first lease nothing has ended", () => {
    const waiting = shop({ leaseUntilBootMs: null });
    expect(isDueWithLiveAgent(bookWith(waiting), waiting, 60_000)).toBe(false);
  });

  test("silence is taken for a stopped agent: the lease is counted to its end", () => {
    const book = bookWith(shop({ isFencedByAgent: true }));
    expect(book.due(true, UNTIL + DEAD_AGENT_GRACE_MS - 1)).toEqual([]);
    expect(book.due(true, UNTIL + DEAD_AGENT_GRACE_MS)).toEqual([
      { moduleId: "shop", targets: TARGETS, step: "hold", isOrphan: false },
    ]);
  });

  test("a hung one is beyond hope after a while, unless it turns again", () => {
    const book = new GuardBook();
    const hung = { isMainHung: true, modules: [] };
    book.note(hung, 1_000);
    book.note(hung, 900 + HUNG_AGENT_KILL_MS);
    expect(book.isAgentBeyondHope(900 + HUNG_AGENT_KILL_MS)).toBe(false);
    expect(book.isAgentBeyondHope(1_000 + HUNG_AGENT_KILL_MS)).toBe(true);
    book.note({ isMainHung: false, modules: [] }, 20_000);
    expect(book.isAgentBeyondHope(60_000)).toBe(false);
  });
});

describe("when this machine stood still, the guard with it", () => {
  const WOKE = UNTIL + 4_000;
  const bookAfterGap = (): GuardBook => {
    const book = bookWith(shop(), UNTIL - 500);
    book.noteGap({ fromBootMs: UNTIL - 480, toBootMs: WOKE });
    return book;
  };

  test("a lease that ended meanwhile leaves the agent its time to fence, and no more", () => {
    const book = bookAfterGap();
    expect(book.due(true, WOKE)).toEqual([]);
    expect(isDueWithLiveAgent(book, shop(), WOKE + LIVE_AGENT_GRACE_MS - 1)).toBe(false);
    expect(isDueWithLiveAgent(book, shop(), WOKE + LIVE_AGENT_GRACE_MS)).toBe(true);
  });

  test("an agent that fences itself then is left alone", () => {
    const book = bookAfterGap();
    const fenced = shop({ isFencedByAgent: true });
    expect(isDueWithLiveAgent(book, fenced, WOKE + 20)).toBe(false);
    expect(isDueWithLiveAgent(book, fenced, WOKE + 60_000)).toBe(false);
  });

  test("an agent that stays silent is taken for a stopped one", () => {
    const book = bookAfterGap();
    expect(book.due(true, WOKE + 500)).toEqual([]);
    expect(book.due(true, WOKE + 501)).toHaveLength(1);
  });

  test("a dead agent gets no time", () => {
    const book = bookAfterGap();
    book.noteAgentDied();
    expect(book.due(false, WOKE)).toHaveLength(1);
  });

  test("a second gap gives no more time", () => {
    const book = bookAfterGap();
    book.noteGap({ fromBootMs: WOKE + 100, toBootMs: WOKE + 5_000 });
    expect(book.due(true, WOKE + 5_000)).toHaveLength(1);
  });
});

describe("after the agent's death", () => {
  test("the module lives to the end of its lease", () => {
    const book = bookWith(shop());
    book.noteAgentDied();
    expect(book.due(false, UNTIL)).toEqual([]);
    expect(book.due(false, UNTIL + DEAD_AGENT_GRACE_MS)).toHaveLength(1);
  });

  test("a module that it had fenced is taken down, as nobody watches over it any more", () => {
    const book = bookWith(shop({ isFencedByAgent: true }));
    book.noteAgentDied();
    expect(book.due(false, UNTIL + DEAD_AGENT_GRACE_MS)).toHaveLength(1);
  });

  test("a module without any lease is taken down at once", () => {
    const book = bookWith(shop({ leaseUntilBootMs: null }));
    book.noteAgentDied();
    expect(book.due(false, 9_000 + DEAD_AGENT_GRACE_MS)).toHaveLength(1);
  });

  test("a standing vote has no end", () => {
    const book = bookWith(shop({ leaseUntilBootMs: Number.MAX_SAFE_INTEGER }));
    book.noteAgentDied();
    expect(book.due(false, 1e12)).toEqual([]);
  });

  test("a new agent that does not speak of the module leaves the deadline as it was", () => {
    const book = bookWith(shop());
    book.noteAgentDied();
    book.note({ isMainHung: false, modules: [] }, UNTIL + DEAD_AGENT_GRACE_MS);
    expect(book.due(true, UNTIL + LIVE_AGENT_GRACE_MS)).toHaveLength(1);
  });

  test("a new agent that renews the lease in time keeps the application", () => {
    const book = bookWith(shop());
    book.noteAgentDied();
    const renewed = shop({ leaseUntilBootMs: UNTIL + 5_000 });
    expect(isDueWithLiveAgent(book, renewed, UNTIL + 2_000)).toBe(false);
  });
});

describe("what is held", () => {
  const held = (): GuardBook => {
    const book = bookWith(shop());
    book.noteAgentDied();
    const atMs = UNTIL + DEAD_AGENT_GRACE_MS;
    expect(book.due(false, atMs)).toMatchObject([{ step: "hold", isOrphan: true }]);
    book.noteHeld("shop", atMs);
    return book;
  };
  const OVER = UNTIL + DEAD_AGENT_GRACE_MS + HELD_MS_MAX;

  test("is taken down when no agent comes for it", () => {
    expect(held().due(false, OVER - 1)).toEqual([]);
    expect(held().due(false, OVER)).toMatchObject([{ step: "takeDown" }]);
  });

  test("is the matter of an agent that comes for it, until that one dies too", () => {
    const book = held();
    const taken = shop({ leaseUntilBootMs: null, isFencedByAgent: true });
    expect(isDueWithLiveAgent(book, taken, OVER + 60_000)).toBe(false);
    book.noteAgentDied();
    expect(book.due(false, OVER + 60_000)).toMatchObject([{ step: "takeDown" }]);
  });

  test("is held anew after another lease", () => {
    const book = held();
    const again = shop({ leaseUntilBootMs: 20_000 });
    expect(isDueWithLiveAgent(book, again, 19_000)).toBe(false);
    book.noteAgentDied();
    expect(book.due(false, 20_000 + DEAD_AGENT_GRACE_MS)).toMatchObject([{ step: "hold" }]);
  });

  test("in full at the end of the guard itself", () => {
    expect(held().due(false, Number.MAX_VALUE)).toHaveLength(1);
  });
});

test("what is down is fenced once, and again only after another lease", () => {
  const book = bookWith(shop());
  expect(isDueWithLiveAgent(book, shop(), UNTIL + LIVE_AGENT_GRACE_MS)).toBe(true);
  book.noteFenced("shop");
  expect(isDueWithLiveAgent(book, shop(), UNTIL + 60_000)).toBe(false);
  const again = shop({ leaseUntilBootMs: 100_000 });
  expect(isDueWithLiveAgent(book, again, 90_000)).toBe(false);
  expect(isDueWithLiveAgent(book, again, 100_000 + LIVE_AGENT_GRACE_MS)).toBe(true);
});

test("a module of which nothing runs any more is forgotten", () => {
  const book = bookWith(shop());
  expect(isDueWithLiveAgent(book, shop({ targets: null }), UNTIL + 60_000)).toBe(false);
});
