import { Guard, USAGE_STATUS } from "./guard.ts";
import { lockCode } from "./lock-code.ts";

/** `node guard-main.ts -- COMMAND ARGS…`: starts the agent with these words and stands guard. */

const log = (line: string): void => {
  process.stderr.write(`${new Date().toISOString()} guard: ${line}\n`);
};

const separator = process.argv.indexOf("--");
const [file, ...args] = separator < 0 ? [] : process.argv.slice(separator + 1);
if (file === undefined) {
  process.stderr.write("usage: guard-main -- COMMAND [ARGS…]\n");
  process.exitCode = USAGE_STATUS;
} else {
  const problem = lockCode();
  if (problem !== null) log(`its code may have to be read from the disk again (${problem})`);
  const guard = new Guard({ command: [file, ...args], log });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => guard.stop());
  process.on("SIGHUP", () => guard.replaceAgent());
  process.exitCode = await guard.run();
}
