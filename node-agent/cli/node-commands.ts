import type { Command } from "commander";
import { enrol } from "../identity/enrol.ts";
import { loadIdentity } from "../identity/identity-store.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { durationOption } from "./module-commands.ts";
import type { Session } from "./program.ts";

const ENROL_EXIT = {
  badToken: EXIT.notAllowed,
  refused: EXIT.notAllowed,
  unreachable: EXIT.unreachable,
  wrongControlPlane: EXIT.notAllowed,
} as const;

/** `token create` and `join`. */
export function addNodeCommands(program: Command, session: Session): void {
  program
    .command("token")
    .description("tokens with which a node joins")
    .command("create <node>")
    .description("make a token for one node; it is shown once")
    .option("--address <network=address>", "where the node is; may be repeated", collect, {})
    .option("--expires <time>", "how long it is good (5m to 7d)", durationOption)
    .action(async (node: string, options: TokenOptions) => {
      const { address: addresses, expires } = options;
      const made = await session.api().token({
        node,
        ...(Object.keys(addresses).length === 0 ? {} : { addresses }),
        ...(expires === undefined ? {} : { expiresInMs: expires }),
      });
      session.terminal.out(session.json ? JSON.stringify(made) : made.token);
      session.terminal.err(
        `on ${node}: mirrorfarm join --url ${made.agentUrl} --node ${node} --token <this>`,
      );
    });
  program
    .command("join")
    .description("make this machine a node of a cluster")
    .requiredOption("--url <url>", "the control plane's listener for agents, https://…")
    .requiredOption("--node <name>", "this node's name")
    .option("--token <token>", "made by `token create`; else MIRRORFARM_TOKEN or standard input")
    .option("--force", "even though this machine belongs to a cluster already")
    .action((options: JoinOptions) => join(session, options));
}

type TokenOptions = {
  readonly address: Readonly<Record<string, string>>;
  readonly expires?: number;
};

function collect(
  text: string,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, network, address] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (network === undefined || address === undefined) {
    throw new CommandEnd(EXIT.usage, `--address ${text}: want NETWORK=ADDRESS`);
  }
  return { ...before, [network]: address };
}

type JoinOptions = {
  readonly url: string;
  readonly node: string;
  readonly token?: string;
  readonly force?: boolean;
};

async function join(session: Session, options: JoinOptions): Promise<void> {
  const { terminal, stateDirectory, environment } = session;
  const known = await loadIdentity(stateDirectory);
  if (known.ok && options.force !== true) {
    const { nodeId, clusterId } = known.value;
    const message = `this machine is ${nodeId} of ${clusterId} already`;
    throw new CommandEnd(EXIT.conflict, message, "--force enrols it anew");
  }
  // Not only by option: a command line is seen by every user of the machine (ps(1)).
  const token =
    options.token ??
    environment["MIRRORFARM_TOKEN"] ??
    (terminal.isInteractive ? await terminal.ask("Token: ") : await session.readInput());
  const enrolled = await enrol({
    stateDirectory,
    controlPlaneUrl: options.url,
    token,
    nodeId: options.node,
  });
  if (!enrolled.ok) {
    throw new CommandEnd(ENROL_EXIT[enrolled.error.kind], enrolled.error.message);
  }
  const { clusterId, nodeId } = enrolled.value;
  terminal.out(
    session.json ? JSON.stringify({ clusterId, nodeId }) : `${nodeId} has joined ${clusterId}`,
  );
}
