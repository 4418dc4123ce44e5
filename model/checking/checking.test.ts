import { describe, expect, test } from "vitest";
import type { CheckConfig, MirrorConfig, ModuleConfig, ProcConfig } from "../module/config.ts";
import type { FailoverExpression, FailoverRule, ResourceState } from "../module/failover/rule.ts";
import type { ModuleState } from "../states/lifecycle.ts";
import { type CheckingRecord, decideChecks, NEW_CHECKING_RECORD } from "./decide-checks.ts";
import { evaluate, readsInitial } from "./evaluate.ts";
import type { Resources } from "./resources.ts";
import { handleTimeMsOf, rulesOf } from "./rules.ts";
import { checksOf, isActive } from "./watches.ts";

const equal = (name: string, state: ResourceState, scope: "local" | "remote" = "local") => {
  const [className = "", id = ""] = name.split(".");
  return {
    kind: "equal",
    left: { kind: "resource", resource: { scope, class: className, id } },
    right: { kind: "state", state },
  } satisfies FailoverExpression;
};

const MIRROR: MirrorConfig = {
  mode: "mirror",
  heart: { port: null, pulseMs: null, timeoutMs: null, permanentArp: true, heartbeats: [] },
  rfs: null,
  service: {
    boot: "ignore",
    bootDelayMs: 0,
    failover: true,
    defaultPrim: { kind: "alone" },
    maxLoop: 3,
    loopIntervalMs: 86_400_000,
    automaticReboot: false,
  },
  vip: null,
  user: null,
  vhost: null,
  errd: null,
  checks: [],
  failover: null,
  macros: [],
};
const TCP: CheckConfig = {
  kind: "tcp",
  ident: "web",
  when: "prim",
  action: "restart",
  addr: "127.0.0.1",
  port: 80,
  intervalMs: 10_000,
  timeoutMs: 5_000,
};
const PING: CheckConfig = {
  kind: "ping",
  ident: "router",
  when: "pre",
  action: "wait",
  addr: "10.0.0.1",
  intervalMs: 10_000,
  timeoutMs: 5_000,
};
const PROC: ProcConfig = {
  name: "app",
  isService: false,
  nameRegex: null,
  argRegex: null,
  atLeast: 1,
  atMost: -1,
  class: "prim",
  action: { kind: "restart" },
  restartServices: null,
  startAfter: 0,
};
const failover = (rules: readonly FailoverRule[], extendsDefaults = true) => ({
  extendsDefaults,
  periodMs: 5_000,
  handleTimeMs: 15_000,
  text: "",
  hasLua: false,
  rules,
});

const decide = (
  config: ModuleConfig,
  state: ModuleState,
  local: Resources,
  nowMs = 0,
  was: CheckingRecord = NEW_CHECKING_RECORD,
) =>
  decideChecks(
    was,
    {
      rules: rulesOf(config),
      handleTimeMs: handleTimeMsOf(config),
      limits: { actionsMax: 3, intervalMs: 86_400_000 },
      state,
      resources: { local, remote: null },
    },
    nowMs,
  );

describe("conditions", () => {
  const view = {
    local: { "ping.a": "up", "ping.b": "down" },
    remote: { "tcp.x": "down" },
  } as const;

  test.each([
    [equal("ping.a", "up"), true],
    [equal("ping.?", "down"), true],
    [equal("ping.*", "down"), false],
    [equal("tcp.x", "down"), false],
    [equal("tcp.x", "down", "remote"), true],
    [equal("tcp.y", "init"), true],
    [equal("tcp.y", "unknown", "remote"), true],
    [equal("intf.*", "down"), false],
    [equal("intf.?", "down"), false],
  ] as const)("%j is %s", (expression, holds) => expect(evaluate(expression, view)).toBe(holds));

  test("and, or, not and differ combine", () => {
    const [yes, no] = [equal("ping.a", "up"), equal("ping.a", "down")];
    expect(evaluate({ kind: "and", terms: [yes, no] }, view)).toBe(false);
    expect(evaluate({ kind: "or", terms: [yes, no] }, view)).toBe(true);
    expect(evaluate({ kind: "not", term: no }, view)).toBe(true);
    expect(evaluate({ ...yes, kind: "differ" }, view)).toBe(false);
    expect(evaluate({ kind: "call", name: "cluster" }, view)).toBe(false);
  });

  test("a peer that cannot be heard has unknown resources", () => {
    const alone = { local: {}, remote: null };
    expect(evaluate(equal("tcp.x", "unknown", "remote"), alone)).toBe(true);
    expect(evaluate(equal("tcp.x", "down", "remote"), alone)).toBe(false);
  });

  test("a resource without a result yet is noticed, however deep", () => {
    const deep = { kind: "not", term: { kind: "or", terms: [equal("tcp.y", "down")] } } as const;
    expect(readsInitial(deep, view)).toBe(true);
    expect(readsInitial(equal("ping.a", "down"), view)).toBe(false);
  });
});

describe("rules", () => {
  test("carry the names that people know", () => {
    const custom = { kind: "custom", ident: "db", when: "pre", exec: "x", arg: null } as const;
    const config = {
      ...MIRROR,
      checks: [TCP, PING, { ...custom, action: "wait" as const }],
      errd: { pollMs: 10_000, procs: [PROC] },
    };
    const labels = rulesOf(config).map(({ label }) => label);
    expect(labels).toEqual(["t_web", "p_router", "c_db", "proc_app"]);
  });

  test("noaction makes no rule, and extends=no drops the defaults alone", () => {
    const ip = { kind: "ip", ident: "v", when: "prim", action: "stopstart" } as const;
    const checks = [
      { ...ip, addr: "10.0.0.5", intervalMs: 1 },
      { ...TCP, action: "noaction" as const },
    ];
    expect(rulesOf({ ...MIRROR, checks }).map(({ label }) => label)).toEqual(["ip_failure"]);
    const without = { ...MIRROR, checks: [...checks, TCP], failover: failover([], false) };
    expect(rulesOf(without).map(({ label }) => label)).toEqual(["t_web"]);
  });

  test("the virtual address brings its two checkers", () => {
    const address = {
      addr: "10.0.0.50",
      where: "one_side_alias",
      check: true,
      connections: false,
      netmask: null,
    } as const;
    const face = {
      check: true,
      arpReroute: false,
      arpIntervalMs: 1,
      arpElapseMs: 1,
      name: null,
      link: { kind: "real" },
      addresses: [address],
    } as const;
    const vip = { tcpReset: true, scriptControl: false, interfaces: [face], groups: [] };
    const checks = checksOf({ ...MIRROR, vip });
    expect(checks).toMatchObject([
      { kind: "intf", when: "pre", action: "wait" },
      { kind: "ip", when: "prim", action: "stopstart", addr: "10.0.0.50" },
    ]);
  });

  test.each([
    ["pre", "STOP", false],
    ["pre", "WAIT", true],
    ["prim", "SECOND", false],
    ["prim", "ALONE", true],
    ["both", "SECOND", true],
    ["second", "ALONE", false],
    ["sec", "ALONE", true],
    ["batch", "PRIM", false],
  ] as const)("a watch of class %s in %s: %s", (watchClass, state, active) => {
    expect(isActive(watchClass, state)).toBe(active);
    if (watchClass === "batch") expect(isActive(watchClass, state, ["batch"])).toBe(true);
  });
});

describe("decisions", () => {
  const web = { ...MIRROR, checks: [TCP] };

  test("a checker that is down leads to its action at once, and is counted", () => {
    const first = decide(web, "PRIM", { "tcp.web": "down" });
    expect(first).toMatchObject({ action: { kind: "restart" }, record: { loop: { count: 1 } } });
    expect(first.reason).toContain("rule t_web (tcp.web)");
    expect(decide(web, "PRIM", { "tcp.web": "up" }).action).toBe(null);
    expect(decide(web, "PRIM", {}).action).toBe(null);
  });

  test("the fourth automatic action stops the module", () => {
    let record: CheckingRecord = NEW_CHECKING_RECORD;
    const kinds = [0, 1, 2, 3].map((nowMs) => {
      const decision = decide(web, "PRIM", { "tcp.web": "down" }, nowMs, record);
      record = decision.record;
      return decision.action?.kind;
    });
    expect(kinds).toEqual(["restart", "restart", "restart", "stop"]);
  });

  test("with <failover> an action must stay wanted for the handle time", () => {
    const config = { ...web, failover: failover([]) };
    const first = decide(config, "PRIM", { "tcp.web": "down" }, 1_000);
    expect(first).toMatchObject({ action: null, record: { pending: { sinceMs: 1_000 } } });
    const early = decide(config, "PRIM", { "tcp.web": "down" }, 15_999, first.record);
    expect(early.action).toBe(null);
    const due = decide(config, "PRIM", { "tcp.web": "down" }, 16_000, early.record);
    expect(due.action).toMatchObject({ kind: "restart" });
    const healed = decide(config, "PRIM", { "tcp.web": "up" }, 15_000, early.record);
    expect(healed.record.pending).toBe(null);
  });

  test("a missing process acts at once even so, and names the services to restart", () => {
    const errd = { pollMs: 10_000, procs: [{ ...PROC, restartServices: "app" }] };
    const config = { ...MIRROR, errd, failover: failover([]) };
    const { action } = decide(config, "PRIM", { "proc.app": "down" });
    expect(action).toEqual({ kind: "restart", services: "app" });
  });

  test("a handler is called instead of an action, and is not counted", () => {
    const action = { kind: "handler", executable: "mend" } as const;
    const config = { ...MIRROR, errd: { pollMs: 10_000, procs: [{ ...PROC, action }] } };
    const decision = decide(config, "PRIM", { "proc.app": "down" });
    expect(decision.action).toMatchObject({ kind: "handler", executable: "mend" });
    expect(decision.record.loop).toBe(null);
  });

  test("the strongest of several actions wins", () => {
    const config = { ...MIRROR, checks: [TCP, PING] };
    const both = { "tcp.web": "down", "ping.router": "down" } as const;
    expect(decide(config, "PRIM", both).action).toMatchObject({ kind: "wait" });
  });

  test("WAIT lasts while a wait rule holds or a first result is awaited, then wakes up", () => {
    const config = { ...MIRROR, checks: [PING] };
    const awaiting = decide(config, "WAIT", {});
    expect(awaiting).toMatchObject({ action: null, awaitsFirstResults: true });
    const holding = decide(config, "WAIT", { "ping.router": "down" });
    expect(holding).toMatchObject({ action: null, waitRules: ["p_router"] });
    expect(holding.reason).toContain("p_router (ping.router)");
    const free = decide(config, "WAIT", { "ping.router": "up" });
    expect(free.action).toEqual({ kind: "wakeup" });
  });

  test("a stopped module decides nothing", () => {
    expect(decide(web, "STOP", { "tcp.web": "down" }).action).toBe(null);
  });

  test("a rule of the module's own may swap on the peer's better state", () => {
    const when = {
      kind: "and",
      terms: [equal("tcp.web", "down"), equal("tcp.web", "unknown", "remote")],
    } as const;
    const rule = { label: "mine", when, action: { kind: "swap" } } as const;
    const config = {
      ...MIRROR,
      checks: [{ ...TCP, action: "noaction" as const }],
      failover: { ...failover([rule]), handleTimeMs: 0 },
    };
    expect(decide(config, "PRIM", { "tcp.web": "down" }).action?.kind).toBe("swap");
  });
});
