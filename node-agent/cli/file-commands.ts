import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { confirmDanger } from "./confirm.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import type { Session } from "./program.ts";

/** `validate`, `install`, `uninstall` below `module`. */
export function addFileCommands(module: Command, session: Session): void {
  module
    .command("validate <file>")
    .description("check a .safe file here, without a control plane")
    .action((file: string) => validate(session, file));
  module
    .command("install <file>")
    .alias("apply")
    .description("give a .safe file to the cluster, as a new module or a new version")
    .option("--name <module>", "its name; else the file's")
    .option("--nodes <names>", "its nodes, separated by commas; else all")
    .option("--dry-run", "judge only")
    .action((file: string, options: InstallOptions) => install(session, file, options));
  module
    .command("uninstall <module>")
    .alias("delete")
    .description("take it away from all nodes; their data stays where it is")
    .option("-y, --yes", "with --confirm: do not ask")
    .option("--confirm <name>", "the module's name, instead of typing it")
    .action((moduleId: string, options: { yes?: boolean; confirm?: string }) =>
      uninstall(session, moduleId, options),
    );
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandEnd(EXIT.notFound, `${file} cannot be read: ${why}`);
  }
}

async function validate(session: Session, file: string): Promise<void> {
  const bytes = await read(file);
  // Loaded here: the readers of archives and XML are needed by no other command.
  const { formatModuleError, loadModule } = await import("#model/archive/load-module.ts");
  const { formatProblem } = await import("#model/module/problem.ts");
  const loaded = await loadModule(bytes);
  if (!loaded.ok) {
    const text = formatModuleError(loaded.error);
    if (session.json) session.terminal.out(JSON.stringify({ valid: false, text }));
    throw new CommandEnd(EXIT.failed, text);
  }
  const warnings = loaded.value.warnings.map(formatProblem);
  const { sha256 } = loaded.value;
  for (const warning of warnings) session.terminal.err(warning);
  session.terminal.out(
    session.json ? JSON.stringify({ valid: true, sha256, warnings }) : `${file} is valid`,
  );
}

type InstallOptions = {
  readonly name?: string;
  readonly nodes?: string;
  readonly dryRun?: boolean;
};

async function install(session: Session, file: string, options: InstallOptions): Promise<void> {
  const moduleId = options.name ?? basename(file).replace(/\.safe$/, "");
  const query = new URLSearchParams();
  if (options.nodes !== undefined) query.set("nodes", options.nodes);
  if (options.dryRun === true) query.set("dryRun", "true");
  const answer = await session.api().upload(moduleId, await read(file), query);
  for (const warning of answer.warnings) session.terminal.err(warning);
  const { version, nodes } = answer.module;
  const verb = answer.stored ? "installed" : "judged, not stored";
  session.terminal.out(
    session.json
      ? JSON.stringify(answer)
      : `${moduleId} version ${version} ${verb}, on ${nodes.join(", ")}`,
  );
}

async function uninstall(
  session: Session,
  moduleId: string,
  { yes, confirm }: { yes?: boolean; confirm?: string },
): Promise<void> {
  const { terminal } = session;
  const view = await session.api().module(moduleId);
  const consequence = [
    `This removes ${moduleId} from ${view.nodes.map(({ nodeId }) => nodeId).join(", ")}.`,
    "Its data stays on the disks; nothing replicates it any more.",
  ];
  const confirmation = { yes: yes ?? false, confirm: confirm ?? null };
  await confirmDanger(terminal, moduleId, consequence, confirmation);
  await session.api().remove(moduleId);
  terminal.out(session.json ? JSON.stringify({ removed: moduleId }) : `${moduleId} is removed`);
}
