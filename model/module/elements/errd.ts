import { duration, EXECUTABLE, integer, NAME, REGEX, TEXT, YES_NO } from "../value-type.ts";
import { any, defaulted, element, optional, required } from "./element.ts";

const COUNT_MAX = 100_000;

export const PROC = element("proc", "A process or service; resource proc.<name>.", {
  name: required(
    TEXT,
    "Command name (Linux: at most 15 characters), or the service's name with service=yes.",
  ),
  service: defaulted(YES_NO, "no", "yes: a systemd unit."),
  nameregex: optional(REGEX, "Regex on the command name, in place of the name."),
  argregex: optional(REGEX, "Regex on command and arguments."),
  atleast: defaulted(integer(-1, COUNT_MAX), "1", "Fewer than this: the action; -1: not tested."),
  atmax: defaulted(
    integer(-1, COUNT_MAX),
    "-1",
    "More than this: the action; -1: not tested; 0: whenever one runs.",
  ),
  class: required(
    NAME,
    "prim, both, pre, second, sec: watched between the start_ and stop_ scripts of that name; another word: when a command enables it.",
  ),
  action: defaulted(
    EXECUTABLE,
    "stopstart",
    "restart, stopstart, stop, noaction, or an executable of bin/ (needs a class of its own).",
  ),
  restart_services: optional(
    TEXT,
    "With service=yes and action=restart: the scripts get -Services with this list.",
  ),
  start_after: defaulted(integer(0, COUNT_MAX), "0", "First look after (n - 1) polls."),
});

export const ERRD = element(
  "errd",
  "Watches processes and services. Needs <user>.",
  { polltimer: defaulted(duration("s"), "30s", "Time between two looks.") },
  [any(PROC)],
);
