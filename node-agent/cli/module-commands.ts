import { type Command, InvalidArgumentError } from "commander";
import type { CommandKind, CommandRequest } from "#model/contract/commands.ts";
import { MAINTENANCE_MS_DEFAULT, MAINTENANCE_MS_MAX } from "#model/quorum/maintenance.ts";
import { HEALTHS } from "#model/states/module-health.ts";
import { type Confirmation, confirmDanger } from "./confirm.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { followOperation } from "./follow-operation.ts";
import { forceConsequence, localForceConsequence } from "./force-text.ts";
import { pause } from "./pause.ts";
import type { Session } from "./program.ts";
import { parseDuration, plain } from "./terminal.ts";

const POLL_MS = 300;

type ActionOptions = {
  readonly node?: string;
  readonly to?: string;
  readonly dataFrom?: string;
  readonly reason?: string;
  readonly wait: boolean;
  readonly timeout: number;
  readonly yes?: boolean;
  readonly confirm?: string;
  readonly for?: number;
  readonly withoutWitness?: boolean;
};

/** A duration as an option's value. */
export function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError("Want 90s, 5m or 1h.");
  return ms;
}

/** `start`, `stop`, `restart`, `switch`, `force-primary`, `wait` below `module`. */
export function addActionCommands(module: Command, session: Session): void {
  const action = (name: string, kind: CommandKind, description: string): Command =>
    module
      .command(`${name} <module>`)
      .description(description)
      .option("--no-wait", "do not wait for the end")
      .option("--timeout <time>", "give up waiting after this long", durationOption, 120_000)
      .action((moduleId: string, options: ActionOptions) => act(session, kind, moduleId, options));
  action("start", "start", "start it; the first time ever say whose data is the good one")
    .option("--node <name>", "on this node only")
    .option("--data-from <node>", "first start ever: this node holds the good data");
  action("stop", "stop", "stop it: application, address and replication").option(
    "--node <name>",
    "on this node only",
  );
  action("restart", "restart", "run its stop and start scripts again where it is").option(
    "--node <name>",
    "on this node only",
  );
  action("switch", "switchover", "let the secondary take over in order")
    .alias("swap")
    .option("--to <node>", "the node that shall lead");
  action("force-primary", "force-primary", "make a node primary that may lack the newest data")
    .alias("primforce")
    .requiredOption("--to <node>", "the node that shall lead")
    .option("--reason <text>", "why, for the record")
    .option("-y, --yes", "with --confirm: do not ask")
    .option("--confirm <name>", "the module's name, instead of typing it")
    .option(
      "--without-witness",
      "with --local, the control plane being away: you answer for the other node being off",
    );
  addMaintenance(module, session);
  module
    .command("wait <module>")
    .alias("waitstate")
    .description("wait until it is in a state or health; exit 6 when it takes too long")
    .option("--health <health>", `one of ${HEALTHS.join(", ")}`)
    .option("--state <state>", "one of STOP, WAIT, ALONE, PRIM, SECOND, UP: on some node, or")
    .option("--node <name>", "on this node")
    .option("--timeout <time>", "give up after this long", durationOption, 120_000)
    .action((moduleId: string, options: WaitOptions) => wait(session, moduleId, options));
}

/** `replication resync --full`: what both copies are is found out anew. */
export function addReplicationCommands(program: Command, session: Session): void {
  program
    .command("replication")
    .description("the copies of a mirror module")
    .command("resync <module>")
    .description("bring a secondary's copy up to date again, by comparing everything")
    .requiredOption("--full", "compare everything, whatever the records of changes say")
    .requiredOption("--node <name>", "the secondary whose copy is compared and mended")
    .option("-y, --yes", "with --confirm: do not ask")
    .option("--confirm <name>", "the module's name, instead of typing it")
    .option("--no-wait", "do not wait for the end")
    .option("--timeout <time>", "give up waiting after this long", durationOption, 3_600_000)
    .action((moduleId: string, options: ActionOptions) =>
      act(session, "full-resync", moduleId, options),
    );
}

/** `maintenance on` and `off`: nothing is done by itself for a while. */
function addMaintenance(module: Command, session: Session): void {
  const maintenance = module
    .command("maintenance")
    .description("while you work on the machines: no failover and no other automatic action");
  const action = (name: string, kind: CommandKind, description: string): Command =>
    maintenance
      .command(`${name} <module>`)
      .description(description)
      .option("--reason <text>", "why, for the record")
      .option("--no-wait", "do not wait for the end")
      .option("--timeout <time>", "give up waiting after this long", durationOption, 120_000)
      .action((moduleId: string, options: ActionOptions) => act(session, kind, moduleId, options));
  action("on", "maintenance-on", "begin; it ends by itself").option(
    "--for <time>",
    "how long: 90s, 5m, 2h; at most 7d",
    maintenanceTime,
    MAINTENANCE_MS_DEFAULT,
  );
  action("off", "maintenance-off", "end it now: what is due by itself is done at once");
}

function maintenanceTime(text: string): number {
  const ms = durationOption(text);
  if (ms >= 1000 && ms <= MAINTENANCE_MS_MAX) return ms;
  throw new InvalidArgumentError("Want at least 1s and at most 7d.");
}

async function act(
  session: Session,
  kind: CommandKind,
  moduleId: string,
  options: ActionOptions,
): Promise<void> {
  const node = options.to ?? options.node;
  const request: CommandRequest = {
    kind,
    ...(node === undefined ? {} : { node }),
    ...(options.dataFrom === undefined ? {} : { dataFrom: options.dataFrom }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.for === undefined ? {} : { forMs: options.for }),
    ...(options.withoutWitness === true ? { withoutWitness: true } : {}),
  };
  if (session.local) return actLocally(session, moduleId, request, options);
  const { terminal } = session;
  const api = session.api();
  const view = await api.module(moduleId);
  if (kind === "force-primary") {
    const consequence = forceConsequence(view, node ?? "", terminal.nowMs());
    await confirmDanger(terminal, moduleId, consequence, confirmationOf(options));
  }
  if (kind === "full-resync") {
    const consequence = [`${node} leaves the set until all of its copy has been compared.`];
    await confirmDanger(terminal, moduleId, consequence, confirmationOf(options));
  }
  const operation = await api.command(moduleId, {
    ...request,
    // What the person saw: were another epoch to begin meanwhile, this would be another question.
    ...(view.witness === null || isMaintenance(kind) ? {} : { seenEpoch: view.witness.epoch }),
    ...(kind === "force-primary" || kind === "full-resync" ? { confirm: moduleId } : {}),
  });
  const last = options.wait
    ? await followOperation(api, operation, terminal, options.timeout)
    : operation;
  terminal.out(session.json ? JSON.stringify(last) : plain(last.text));
}

async function actLocally(
  session: Session,
  moduleId: string,
  request: CommandRequest,
  options: ActionOptions,
): Promise<void> {
  const { terminal } = session;
  const isForced = request.kind === "force-primary";
  if (isForced) {
    const consequence = localForceConsequence(await session.localAgent().status(), moduleId);
    await confirmDanger(terminal, moduleId, consequence, confirmationOf(options));
  }
  const body = isForced ? { ...request, confirm: moduleId } : request;
  const result = await session.localAgent().command(moduleId, body);
  terminal.out(session.json ? JSON.stringify(result) : plain(result.text));
  if (result.outcome === "refused") throw new CommandEnd(EXIT.refused, plain(result.text));
  if (result.outcome === "failed") throw new CommandEnd(EXIT.failed, plain(result.text));
  if (result.outcome === "unknown") throw new CommandEnd(EXIT.stillRunning, plain(result.text));
}

/** Who leads meanwhile is no matter for it. */
const isMaintenance = (kind: CommandKind): boolean =>
  kind === "maintenance-on" || kind === "maintenance-off";

const confirmationOf = ({ yes, confirm }: ActionOptions): Confirmation => ({
  yes: yes ?? false,
  confirm: confirm ?? null,
});

type View = Awaited<ReturnType<ReturnType<Session["api"]>["module"]>>;

type WaitOptions = {
  readonly health?: string;
  readonly state?: string;
  readonly node?: string;
  readonly timeout: number;
};

async function wait(session: Session, moduleId: string, options: WaitOptions): Promise<void> {
  const { terminal } = session;
  if (options.health === undefined && options.state === undefined) {
    throw new CommandEnd(EXIT.usage, "say --health HEALTH or --state STATE");
  }
  const api = session.api();
  const deadlineMs = terminal.nowMs() + options.timeout;
  for (;;) {
    const view = await api.module(moduleId);
    if (isReached(view, options)) {
      terminal.out(session.json ? JSON.stringify(view) : `${view.id}: ${plain(view.why)}`);
      return;
    }
    if (terminal.nowMs() >= deadlineMs) {
      throw new CommandEnd(EXIT.stillRunning, `${view.id} is ${view.health}: ${plain(view.why)}`);
    }
    await pause(POLL_MS, terminal.signal);
  }
}

function isReached(view: View, { health, state, node }: WaitOptions): boolean {
  if (health !== undefined && view.health.toLowerCase() !== health.toLowerCase()) return false;
  if (state === undefined) return true;
  return view.nodes.some(
    ({ nodeId, report, silent }) =>
      (node === undefined || nodeId === node) &&
      !silent &&
      report?.state === state.toUpperCase() &&
      report.readiness !== "Transient",
  );
}
