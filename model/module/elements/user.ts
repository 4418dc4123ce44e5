import { duration, NAME, oneOf, RELATIVE_PATH, size, TEXT, VARIABLE_NAME } from "../value-type.ts";
import { any, atLeastOne, defaulted, element, required } from "./element.ts";

export const VAR = element("var", "An environment variable of the scripts.", {
  name: required(VARIABLE_NAME, "Its name."),
  value: required(TEXT, "Its value."),
});

export const USER = element(
  "user",
  "The module's scripts. Without it no script runs.",
  {
    nicestoptimeout: defaulted(duration("s"), "300s", "Time for a stop script."),
    forcestoptimeout: defaulted(duration("s"), "300s", "Time for its second call, with force."),
    logging: defaulted(oneOf("userlog", "none"), "userlog", "Keep what the scripts print."),
    userlogsize: defaulted(size("KB", 1, 1024 * 1024), "2048", "Size of one such log."),
  },
  [any(VAR)],
);

export const VIRTUALHOSTNAME = element("virtualhostname", "A host name that stays the same.", {
  name: required(NAME, "The host name that the application is to see."),
  envfile: required(RELATIVE_PATH, "File that the scripts read (source) to see it."),
  when: defaulted(
    oneOf("prim", "both", "pre", "second", "sec"),
    "prim",
    "Between which start and stop script it holds.",
  ),
});

export const VHOST = element(
  "vhost",
  "A host name of its own for the application.",
  {},
  [atLeastOne(VIRTUALHOSTNAME)],
  { support: "understood" },
);
