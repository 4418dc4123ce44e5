import { procAction } from "../build-scripts.ts";
import { ERRD, PROC } from "../elements/errd.ts";
import { USER } from "../elements/user.ts";
import { quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";

/** The classes that follow the scripts; any other word is the module's own. */
const SCRIPT_CLASSES = ["prim", "both", "pre", "second", "sec"];
/** linux/sched.h TASK_COMM_LEN is 16 with the closing zero byte: a longer name never matches. */
const COMMAND_NAME_MAX = 15;

/** Watches that can be kept: with scripts, in a role that exists, with bounds that can hold. */
export function judgeErrd(service: TypedElement, judging: Judging): void {
  const errd = service.child(ERRD);
  if (errd === null) return;
  if (service.child(USER) === null) {
    judging.problems.error(errd.offset, "<errd> needs a <user>: without it no script runs");
  }
  for (const proc of errd.childrenOf(PROC)) {
    judgeName(proc, judging);
    judgeBounds(proc, judging);
    judgeClass(proc, judging);
    judgeServices(proc, judging);
  }
}

function judgeName(proc: TypedElement, { problems }: Judging): void {
  const { name, service, nameregex } = PROC.attributes;
  if (!proc.isSound(name) || proc.read(service) || proc.has(nameregex)) return;
  const text = proc.read(name);
  if (text !== "" && utf8Bytes(text) <= COMMAND_NAME_MAX) return;
  const message = `${quote(text)} is no command name: Linux keeps 1 to ${COMMAND_NAME_MAX} bytes of it`;
  problems.error(proc.offsetOf(name), message);
}

/** The kernel counts bytes. */
const utf8Bytes = (text: string): number =>
  [...text].reduce((sum, character) => sum + utf8Length(character), 0);

function utf8Length(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

function judgeBounds(proc: TypedElement, { problems }: Judging): void {
  const { atleast, atmax } = PROC.attributes;
  if (!proc.isSound(atleast) || !proc.isSound(atmax) || !proc.has(atleast)) return;
  const [least, most] = [proc.read(atleast), proc.read(atmax)];
  if (most === -1 || least <= most) return;
  problems.error(proc.offsetOf(atmax), `atmax (${most}) is less than atleast (${least})`);
}

function judgeClass(proc: TypedElement, { problems, mode }: Judging): void {
  const { class: watchClass, action } = PROC.attributes;
  if (!proc.isSound(watchClass) || !proc.isSound(action)) return;
  const name = proc.read(watchClass);
  if (mode !== "mirror" && ["prim", "second", "sec"].includes(name)) {
    const message = `class ${quote(name)} is a role of a mirror; in a ${mode} module use "both"`;
    problems.error(proc.offsetOf(watchClass), message);
  }
  const isHandler = procAction(proc.read(action)).kind === "handler";
  if (isHandler && SCRIPT_CLASSES.includes(name)) {
    const message = `an executable as action needs a class of its own, not ${quote(name)}`;
    problems.error(proc.offsetOf(action), message);
  }
}

function judgeServices(proc: TypedElement, { problems }: Judging): void {
  const { restart_services: services, service, action } = PROC.attributes;
  if (!proc.has(services) || !proc.isSound(service) || !proc.isSound(action)) return;
  if (proc.read(service) && proc.read(action) === "restart") return;
  const message = 'restart_services goes with service="yes" and action="restart" only';
  problems.error(proc.offsetOf(services), message);
}
