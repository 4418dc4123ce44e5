import { ADDRESS, duration, EXECUTABLE, NAME, ON_OFF, oneOf, PORT, TEXT } from "../value-type.ts";
import { any, atMostOne, defaulted, element, exactlyOne, optional, required } from "./element.ts";

const WHEN = oneOf("pre", "prim", "second", "both");
const ACTION = oneOf("wait", "stop", "stopstart", "restart", "noaction");
const WHEN_MEANING =
  "pre: from after prestart to before poststop; prim, second, both: while that role's scripts hold.";
const ACTION_MEANING =
  "pre allows wait and noaction; the others stop, stopstart, restart, noaction.";
const interval = () => defaulted(duration("s"), "10s", "Time between two looks.");
const timeout = () => defaulted(duration("s"), "5s", "Time that one look may take.");
const ident = (kind: string) => required(NAME, `Resource is ${kind}.<ident>.`);

export const TCP_TO = element("to", "What is connected to.", {
  addr: required(ADDRESS, "Address or name."),
  port: required(PORT, "Port."),
  interval: interval(),
  timeout: timeout(),
});
export const TCP = element(
  "tcp",
  "Does a port accept connections?",
  {
    ident: ident("tcp"),
    when: required(WHEN, WHEN_MEANING),
    action: optional(ACTION, `By default restart (wait for pre). ${ACTION_MEANING}`),
  },
  [exactlyOne(TCP_TO)],
);

export const PING_TO = element("to", "What is asked for an echo.", {
  addr: required(ADDRESS, "Address or name."),
  interval: interval(),
  timeout: timeout(),
});
export const PING = element(
  "ping",
  "Does an address answer an ICMP echo?",
  {
    ident: ident("ping"),
    when: defaulted(WHEN, "pre", WHEN_MEANING),
    action: optional(ACTION, `By default wait (restart unless pre). ${ACTION_MEANING}`),
  },
  [exactlyOne(PING_TO)],
);

export const CUSTOM = element(
  "custom",
  "An executable that loops and sets the resource itself.",
  {
    ident: ident("custom"),
    when: required(WHEN, WHEN_MEANING),
    exec: required(EXECUTABLE, "The executable. It gets module, resource and arg."),
    arg: optional(TEXT, "Its further arguments, separated by spaces."),
    action: defaulted(ACTION, "noaction", ACTION_MEANING),
  },
  [],
);

export const INTF_TO = element("to", "The interface, by an address of it.", {
  local_addr: required(ADDRESS, "An address of this node, or of its network."),
});
export const INTF = element(
  "intf",
  "Is the link of a network interface up? Down leads to wait.",
  { ident: ident("intf"), when: defaulted(oneOf("pre"), "pre", "Only pre.") },
  [exactlyOne(INTF_TO)],
);

export const IP_TO = element("to", "The address.", {
  addr: required(ADDRESS, "An address that has to be on this node."),
  interval: interval(),
});
export const IP = element(
  "ip",
  "Is an address on this node? Missing leads to stopstart.",
  {
    ident: ident("ip"),
    when: optional(oneOf("prim", "both"), "By default prim in a mirror, both in a farm."),
  },
  [exactlyOne(IP_TO)],
);

export const MODULE_TO = element("to", "Where the other module is asked for.", {
  addr: defaulted(ADDRESS, "127.0.0.1", "Address or name."),
  port: defaulted(PORT, "9010", "Port of the probe; SafeKit: 9453 when secure."),
  interval: interval(),
  timeout: timeout(),
  secure: defaulted(ON_OFF, "off", "Ask by HTTPS."),
});
export const MODULE = element(
  "module",
  "Is another module ready? Not ready leads to wait; its restart or failover to stopstart.",
  {
    name: required(NAME, "The other module."),
    ident: optional(NAME, "Resource is module.<ident>; by default <name>_<addr>."),
  },
  [atMostOne(MODULE_TO)],
);

export const SPLITBRAIN = element(
  "splitbrain",
  "Mirror: before a node goes on alone one of these must answer. One in a module.",
  {
    ident: ident("splitbrain"),
    exec: defaulted(EXECUTABLE, "ping", "How a witness is asked."),
    arg: required(TEXT, "Addresses of the witnesses, separated by spaces."),
  },
  [],
  { support: "understood", why: "the control plane's vote already decides which node goes on" },
);

export const CHECK = element("check", "Checkers.", {}, [
  any(TCP),
  any(PING),
  any(CUSTOM),
  any(INTF),
  any(IP),
  any(MODULE),
  any(SPLITBRAIN),
]);
