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
  finish(failed(2, parsed.error));
}

function finish({ exitCode, output, error }: VerbAnswer): void {
  process.stdout.write(output);
  process.stderr.write(error);
  process.exitCode = exitCode;
}

function failed(exitCode: number, why: string): VerbAnswer {
  return { exitCode, output: "", error: `safekit: ${why}\n` };
}

async function send(socket: string, verb: VerbRequest): Promise<VerbAnswer> {
  return await new Promise((resolve) => {
    const away = (cause: string): void =>
      resolve(failed(UNREACHABLE, `no agent answers (${cause})`));
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
  if (status !== 200) return failed(1, text || String(status));
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null && "exitCode" in answer) {
      const output = "output" in answer ? String(answer.output) : "";
      const error = "error" in answer ? String(answer.error) : "";
      return { exitCode: Number(answer.exitCode), output, error };
    }
  } catch {
    // Falls through to the same answer as a form that we do not know.
  }
  return failed(1, "the agent's answer cannot be read");
}
