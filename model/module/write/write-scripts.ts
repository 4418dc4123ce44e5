import type { ErrdConfig, ProcConfig, UserConfig, VhostConfig } from "../config.ts";
import { ERRD, PROC } from "../elements/errd.ts";
import { USER, VAR, VHOST, VIRTUALHOSTNAME } from "../elements/user.ts";
import { given, tag } from "./xml-writer.ts";

export function writeUser(user: UserConfig | null): string | null {
  if (user === null) return null;
  const row = USER.attributes;
  const attributes = [
    given(row.nicestoptimeout, user.niceStopTimeoutMs),
    given(row.forcestoptimeout, user.forceStopTimeoutMs),
    given(row.logging, user.logging),
    given(row.userlogsize, user.userlogSizeBytes),
  ];
  const vars = user.vars.map(({ name, value }) =>
    tag(VAR, [given(VAR.attributes.name, name), given(VAR.attributes.value, value)]),
  );
  return tag(USER, attributes, vars);
}

export function writeVhost(vhost: VhostConfig | null): string | null {
  if (vhost === null) return null;
  const row = VIRTUALHOSTNAME.attributes;
  const hostnames = vhost.hostnames.map(({ name, envFile, when }) =>
    tag(VIRTUALHOSTNAME, [
      given(row.name, name),
      given(row.envfile, envFile),
      given(row.when, when),
    ]),
  );
  return tag(VHOST, [], hostnames);
}

export function writeErrd(errd: ErrdConfig | null): string | null {
  if (errd === null) return null;
  const attributes = [given(ERRD.attributes.polltimer, errd.pollMs)];
  return tag(ERRD, attributes, errd.procs.map(writeProc));
}

function writeProc(proc: ProcConfig): string {
  const row = PROC.attributes;
  const { action } = proc;
  return tag(PROC, [
    given(row.name, proc.name),
    given(row.service, proc.isService),
    given(row.nameregex, proc.nameRegex),
    given(row.argregex, proc.argRegex),
    given(row.atleast, proc.atLeast),
    given(row.atmax, proc.atMost),
    given(row.class, proc.class),
    given(row.action, action.kind === "handler" ? action.executable : action.kind),
    given(row.restart_services, proc.restartServices),
    given(row.start_after, proc.startAfter),
  ]);
}
