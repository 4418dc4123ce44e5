import type { ApiError } from "#model/contract/errors.ts";

/**
 * The command line: `mirrorfarm` speaks to the control plane's API as a person does, or (`--local`)
 * to this node's agent over its unix socket when the control plane is away. Data goes to standard
 * output, progress and questions to standard error, so that every command can stand in a pipe.
 *
 * cli-main.ts is the entry, program.ts the tree of commands; one file per group of commands.
 */

/** What a script can rely on. A number is never reused for another meaning. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  /** A safety rule said no. */
  refused: 4,
  notAllowed: 5,
  /** Given up waiting: what was asked for is under way, or nobody can tell how it ended. */
  stillRunning: 6,
  unreachable: 7,
  /** The state or version that the caller saw is not the present one. */
  conflict: 8,
  interrupted: 130,
} as const;

/** `status --exit-code`, for monitoring: the worst health of all modules. */
export const HEALTH_EXIT = { protected: 0, unprotected: 10, down: 20 } as const;

/**
 * Ends the command with a sentence and a status. The one exception of the command line that is no
 * bug: a command has many steps and one end, which `run` (program.ts) catches.
 */
export class CommandEnd extends Error {
  override readonly name = "CommandEnd";
  readonly status: number;
  readonly remedy: string;

  constructor(status: number, message: string, remedy = "") {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }
}

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  badRequest: EXIT.usage,
  notSignedIn: EXIT.notAllowed,
  badToken: EXIT.notAllowed,
  forbidden: EXIT.notAllowed,
  hostRefused: EXIT.notAllowed,
  originRefused: EXIT.notAllowed,
  notFound: EXIT.notFound,
  stale: EXIT.conflict,
  conflict: EXIT.conflict,
  refused: EXIT.refused,
};

/** What the server said, as the end of the command. */
export function endOf({ code, message, remedy, requestId, details }: ApiError): CommandEnd {
  const lines = details === undefined ? [message] : [message, ...details];
  const status = STATUS_OF_CODE[code] ?? EXIT.failed;
  // The id finds the request in the server's log; only a surprise needs it.
  const id = code === "internal" ? ` (request ${requestId})` : "";
  return new CommandEnd(status, `${lines.join("\n")}${id}`, remedy);
}
