import type { ErrdConfig, ProcAction, ProcConfig, UserConfig, VhostConfig } from "./config.ts";
import { ERRD, PROC } from "./elements/errd.ts";
import { USER, VAR, VHOST, VIRTUALHOSTNAME } from "./elements/user.ts";
import type { TypedElement } from "./typed-element.ts";

/** `<user>`, or null: then no script runs. */
export function buildUser(service: TypedElement): UserConfig | null {
  const user = service.child(USER);
  if (user === null) return null;
  const row = USER.attributes;
  return {
    niceStopTimeoutMs: user.read(row.nicestoptimeout),
    forceStopTimeoutMs: user.read(row.forcestoptimeout),
    logging: user.read(row.logging),
    userlogSizeBytes: user.read(row.userlogsize),
    vars: user.childrenOf(VAR).map((variable) => ({
      name: variable.read(VAR.attributes.name),
      value: variable.read(VAR.attributes.value),
    })),
  };
}

/** `<vhost>`, or null. */
export function buildVhost(service: TypedElement): VhostConfig | null {
  const vhost = service.child(VHOST);
  if (vhost === null) return null;
  const row = VIRTUALHOSTNAME.attributes;
  const hostnames = vhost.childrenOf(VIRTUALHOSTNAME).map((hostname) => ({
    name: hostname.read(row.name),
    envFile: hostname.read(row.envfile),
    when: hostname.read(row.when),
  }));
  return { hostnames };
}

/** `<errd>`, or null. */
export function buildErrd(service: TypedElement): ErrdConfig | null {
  const errd = service.child(ERRD);
  if (errd === null) return null;
  return {
    pollMs: errd.read(ERRD.attributes.polltimer),
    procs: errd.childrenOf(PROC).map(buildProc),
  };
}

function buildProc(proc: TypedElement): ProcConfig {
  const row = PROC.attributes;
  return {
    name: proc.read(row.name),
    isService: proc.read(row.service),
    nameRegex: proc.read(row.nameregex),
    argRegex: proc.read(row.argregex),
    atLeast: proc.read(row.atleast),
    atMost: proc.read(row.atmax),
    class: proc.read(row.class),
    action: procAction(proc.read(row.action)),
    restartServices: proc.read(row.restart_services),
    startAfter: proc.read(row.start_after),
  };
}

/** Any word but the four actions is an executable of the module. */
export function procAction(word: string): ProcAction {
  switch (word) {
    case "restart":
    case "stopstart":
    case "stop":
    case "noaction":
      return { kind: word };
    default:
      return { kind: "handler", executable: word };
  }
}
