/**
 * A process that makes the calls that its parent sends, one after the other, as the user that its
 * arguments name (`uid gid group...`; none: as it is). Each of them may hang in the kernel for
 * ever, and be killed.
 */
import { assert } from "../../../model/shared/assert.ts";
import { type Order, perform } from "./perform.ts";
import { Session } from "./session.ts";

/** `folder`: begin a case there. */
export type Request = { readonly folder: string } | Order;

const session = new Session();

function become([uid, gid, ...groups]: readonly number[]): void {
  if (uid === undefined || gid === undefined) return;
  process.setgroups?.(groups);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

function obey(request: Request): string {
  if ("call" in request) return perform(session, request);
  session.reset();
  process.chdir(request.folder);
  return "ok";
}

assert(process.send !== undefined, "started by actors.ts");
become(process.argv.slice(2).map(Number));
process.umask(0o022);
// Whoever breaks a lease sends it, and it would kill.
process.on("SIGIO", () => undefined);
process.on("message", (request: Request) => process.send?.(obey(request)));
process.on("disconnect", () => process.exit());
process.send("ready");
