/**
 * The `safekit` command that scripts find first on their PATH: it carries one verb to the agent
 * over its local socket, prints the answer and exits with its code. Exit code 7: no agent answers.
 */
import { request } from "node:http";
import { parseVerb, type VerbAnswer, type VerbRequest, verbPath } from "./safekit-verbs.ts";

const ANSWER_MS_MAX = 10_000;
const UNREACHABLE = 7;

const [socketPath = "", ...argv] = process.argv.slice(2);
const parsed = parseVerb(argv, process.env["SAFEMODULE"] ?? null);
if (parsed.ok) {
  finish(await send(socketPath, parsed.value));
} else {
  finish({ exitCode: 2, output: `safekit: ${parsed.error}\n` });
}

function finish({ exitCode, output }: VerbAnswer): void {
  (exitCode === 0 ? process.stdout : process.stderr).write(output);
  process.exitCode = exitCode;
}

async function send(socket: string, verb: VerbRequest): Promise<VerbAnswer> {
  return await new Promise((resolve) => {
    const away = (cause: string): void =>
      resolve({ exitCode: UNREACHABLE, output: `safekit: no agent answers (${cause})\n` });
    const options = {
      socketPath: socket,
      path: verbPath(verb.moduleId),
      method: "POST",
      headers: { "content-type": "application/json" },
      timeout: ANSWER_MS_MAX,
    };
    const sent = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.once("end", () => resolve(readAnswer(response.statusCode ?? 0, text)));
    });
    sent.once("timeout", () => sent.destroy(new Error("timeout")));
    sent.once("error", (cause) => away(cause.message));
    sent.end(JSON.stringify(verb));
  });
}

function readAnswer(status: number, text: string): VerbAnswer {
  if (status !== 200) return { exitCode: 1, output: `safekit: ${text || status}\n` };
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null && "exitCode" in answer) {
      const output = "output" in answer ? String(answer.output) : "";
      return { exitCode: Number(answer.exitCode), output };
    }
  } catch {
    // Falls through to the same answer as a form that we do not know.
  }
  return { exitCode: 1, output: "safekit: the agent's answer cannot be read\n" };
}
