import { duration, integer, MACRO_NAME, NAME, ON_OFF, oneOf, TEXT } from "../value-type.ts";
import { CHECK } from "./check.ts";
import { any, atMostOne, defaulted, element, exactlyOne, required } from "./element.ts";
import { ERRD } from "./errd.ts";
import { FAILOVER } from "./failover.ts";
import { FARM, HEART } from "./membership.ts";
import { RFS } from "./rfs.ts";
import { USER, VHOST } from "./user.ts";
import { VIP } from "./vip.ts";

export const MACRO = element(
  "macro",
  "Every `%name%` that follows is replaced by the value; a macro wins over the environment.",
  {
    name: required(MACRO_NAME, "What stands between the percent signs."),
    value: required(TEXT, "What takes its place."),
  },
);

export const SERVICE = element(
  "service",
  "The module.",
  {
    mode: required(
      oneOf("mirror", "farm", "light"),
      "mirror: two nodes, one primary, replicated directories; farm: all nodes serve; light: one node.",
    ),
    boot: defaulted(
      oneOf("on", "off", "auto", "ignore"),
      "ignore",
      "Start when the machine boots; auto: only if it ran before; ignore: as set by command.",
    ),
    boot_delay: defaulted(duration("s"), "0s", "Wait before the start at boot.").understood(),
    failover: defaulted(ON_OFF, "on", "Mirror: off keeps a secondary from ever promoting itself."),
    defaultprim: defaulted(
      NAME,
      "alone",
      "Mirror, primary once both run: alone = who is it already, lastprim = who was, or a node's name.",
    ),
    maxloop: defaulted(
      integer(0, 1_000_000),
      "3",
      "Automatic actions allowed within loop_interval; the next one stops the module.",
    ),
    loop_interval: defaulted(duration("h"), "24h", "Window of maxloop; 0 turns the counter off."),
    automatic_reboot: defaulted(
      ON_OFF,
      "off",
      "on: an automatic stopstart reboots the machine instead.",
    ).understood(),
  },
  [
    atMostOne(HEART),
    atMostOne(FARM),
    atMostOne(VIP),
    atMostOne(RFS),
    atMostOne(USER),
    atMostOne(VHOST),
    atMostOne(ERRD),
    any(CHECK),
    atMostOne(FAILOVER),
  ],
);

/** The root of `userconfig.xml`. Macros may also stand before it. */
export const SAFE = element("safe", "The file.", {}, [any(MACRO), exactlyOne(SERVICE)]);
