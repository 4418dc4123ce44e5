import { CommandEnd, EXIT } from "./exit.ts";
import type { Terminal } from "./terminal.ts";

/** How a danger was confirmed on the command line. */
export type Confirmation = { readonly yes: boolean; readonly confirm: string | null };

/**
 * For what can lose data: the consequence is said, and the module's name must be typed. Without
 * somebody to type it, `--yes --confirm NAME` says the same in advance; a wrong name is refused.
 */
export async function confirmDanger(
  terminal: Terminal,
  moduleId: string,
  consequence: readonly string[],
  { yes, confirm }: Confirmation,
): Promise<void> {
  if (confirm !== null && confirm !== moduleId) {
    throw new CommandEnd(EXIT.usage, `--confirm ${confirm} is not the module's name, ${moduleId}`);
  }
  if (yes && confirm === moduleId) return;
  for (const line of consequence) terminal.err(line);
  if (!terminal.isInteractive) {
    const remedy = `say --yes --confirm ${moduleId}`;
    throw new CommandEnd(EXIT.usage, "this must be confirmed, and nobody is here to ask", remedy);
  }
  const typed = await terminal.ask(`Type ${moduleId} to go on: `);
  if (typed.trim() !== moduleId) throw new CommandEnd(EXIT.failed, "not confirmed, nothing done");
}
