import type { Command } from "commander";
import type { EventRecord } from "#model/contract/events.ts";
import type { ClusterSnapshot } from "#model/contract/snapshot.ts";
import type { Api } from "./api.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { pause } from "./pause.ts";
import type { Session } from "./program.ts";
import { healthExit, NODE_HEADER, nodeRow, renderStatus } from "./render-status.ts";
import { parseDuration, plain, table } from "./terminal.ts";

const WATCH_MS = 1_000;
const FOLLOW_MS = 1_000;
/** ECMA-48: home and clear; `?2026` draws the frame in one go where the terminal can. */
const [BEGIN, END] = ["\u001b[?2026h\u001b[H\u001b[2J", "\u001b[?2026l"];

/** `status` and `events`. */
export function addStatusCommands(program: Command, session: Session): void {
  program
    .command("status")
    .alias("state")
    .description("modules, their health and why, and each node's state")
    .option("-w, --watch", "go on, and show every change")
    .option("--exit-code", "0 all protected, 10 unprotected, 20 down (for monitoring)")
    .action(async (options: { watch?: boolean; exitCode?: boolean }) => {
      if (session.local) await localStatus(session);
      else await clusterStatus(session, options);
    });
  program
    .command("events")
    .description("what happened, oldest first")
    .option("-f, --follow", "go on, and print what happens")
    .option("--since <time>", "only the last 90s, 5m, 1h, 2d")
    .option("-m, --module <name>", "only of this module")
    .option("-n, --node <name>", "only of this node")
    .option("--severity <letters>", "of C E U S I D (critical, error, person, state, info, debug)")
    .option("--limit <count>", "at most so many", "50")
    .action((options: EventOptions) => showEvents(session, options));
}

async function localStatus(session: Session): Promise<void> {
  const { terminal } = session;
  const status = await session.localAgent().status();
  if (session.json) {
    terminal.out(JSON.stringify(status));
    return;
  }
  const rows = status.report.modules.map((report) => {
    const { moduleId } = report;
    return nodeRow(moduleId, { nodeId: status.nodeId, report, silent: false }, terminal.nowMs());
  });
  terminal.out(rows.length === 0 ? "No modules on this node." : table(NODE_HEADER, rows));
}

async function clusterStatus(
  session: Session,
  options: { watch?: boolean; exitCode?: boolean },
): Promise<void> {
  const { terminal } = session;
  const api = session.api();
  const snapshot = await api.snapshot();
  if (options.watch === true) await watch(session, api, snapshot);
  terminal.out(session.json ? JSON.stringify(snapshot) : renderStatus(snapshot));
  if (options.exitCode === true) session.setStatus(healthExit(snapshot.modules));
}

/** Until Ctrl-C. On a screen the whole status is redrawn; in a pipe each change is one line. */
async function watch(session: Session, api: Api, first: ClusterSnapshot): Promise<never> {
  const { terminal } = session;
  let shown = "";
  for (let snapshot = first; ; ) {
    const text = session.json
      ? JSON.stringify({ modules: snapshot.modules, nodes: snapshot.nodes })
      : renderStatus(snapshot);
    if (terminal.isScreen && !session.json) terminal.out(`${BEGIN}${text}${END}`);
    else if (text !== shown) terminal.out(text);
    shown = text;
    await pause(WATCH_MS, terminal.signal);
    try {
      snapshot = await api.snapshot();
    } catch (cause) {
      // A watch outlives its control plane: what is shown is old, and says so.
      if (!(cause instanceof CommandEnd) || cause.status !== EXIT.unreachable) throw cause;
      terminal.err(
        `stale since ${new Date(snapshot.serverTimeMs).toISOString()}: ${cause.message}`,
      );
    }
  }
}

type EventOptions = {
  readonly follow?: boolean;
  readonly since?: string;
  readonly module?: string;
  readonly node?: string;
  readonly severity?: string;
  readonly limit: string;
};

async function showEvents(session: Session, options: EventOptions): Promise<void> {
  const { terminal } = session;
  const api = session.api();
  const sinceMs = options.since === undefined ? null : parseDuration(options.since);
  if (options.since !== undefined && sinceMs === null) {
    throw new CommandEnd(EXIT.usage, `--since ${options.since}: want 90s, 5m, 1h or 2d`);
  }
  const query = new URLSearchParams({ limit: options.limit });
  for (const name of ["module", "node", "severity"] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  const oldestMs = sinceMs === null ? 0 : terminal.nowMs() - sinceMs;
  for (;;) {
    const { events, lastSeq } = await api.events(query);
    for (const event of events.filter(({ atMs }) => atMs >= oldestMs)) {
      terminal.out(session.json ? JSON.stringify(event) : eventLine(event, session.isUtc));
    }
    if (options.follow !== true) return;
    query.set("after", `${lastSeq}`);
    query.set("limit", "500");
    await pause(FOLLOW_MS, terminal.signal);
  }
}

function eventLine(
  { atMs, severity, moduleId, nodeId, text }: EventRecord,
  isUtc: boolean,
): string {
  const where = [moduleId, nodeId].filter((part) => part !== undefined).join("@");
  return `${timeText(atMs, isUtc)} ${severity} ${where === "" ? "-" : where} ${plain(text)}`;
}

/** `2026-11-23 17:45:20.123`, in local time unless told otherwise. */
function timeText(atMs: number, isUtc: boolean): string {
  const date = new Date(atMs);
  const shiftMs = isUtc ? 0 : date.getTimezoneOffset() * 60_000;
  const text = new Date(atMs - shiftMs).toISOString().replace("T", " ");
  return isUtc ? text : text.slice(0, -1);
}
