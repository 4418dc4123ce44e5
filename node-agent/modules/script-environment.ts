import type { NamedValue } from "#model/module/config.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";

/** Where a module's files lie on this node. */
export type ModuleDirectories = {
  /** The product's own programs; `SAFE`. */
  readonly product: string;
  /** The node's state directory; `SAFEVAR`. */
  readonly state: string;
  /** The commands that scripts may call (`safekit`, `mirrorfarm`); `SAFEBIN`, and first on PATH. */
  readonly commands: string;
  /** The installed module's scripts; `SAFEUSERBIN`. */
  readonly bin: string;
  /** The installed module's configuration; `SAFEUSERCONF`. */
  readonly conf: string;
  /** Logs and working files of the module; `SAFEUSERVAR`. */
  readonly userVar: string;
};

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Words that a module's `<var>` must not replace: with another PATH or module name, nothing works. */
const RESERVED =
  /^(SAFE|SAFE(MODULE|BIN|VAR|USERBIN|USERCONF|USERVAR)|MIRRORFARM_.*|PATH|IFS|LD_.*)$/;

/**
 * The environment of a module's scripts. It is built, not inherited: the agent's own may hold what
 * a user's program has no business with. Module authors know the SAFE* names; each also has a name
 * of this product.
 */
export function scriptEnvironment(
  moduleId: ModuleId,
  nodeId: NodeId,
  directories: ModuleDirectories,
  vars: readonly NamedValue[],
): Readonly<Record<string, string>> {
  const own = vars.filter(({ name }) => !RESERVED.test(name) && /^[A-Za-z_]\w*$/.test(name));
  const { product, state, commands, bin, conf, userVar } = directories;
  return {
    ...Object.fromEntries(own.map(({ name, value }) => [name, value])),
    PATH: `${commands}:${PATH}`,
    LANG: "C.UTF-8",
    HOME: "/",
    SAFE: product,
    SAFEMODULE: moduleId,
    SAFEBIN: commands,
    SAFEUSERBIN: bin,
    SAFEUSERCONF: conf,
    SAFEVAR: state,
    SAFEUSERVAR: userVar,
    MIRRORFARM_NODE: nodeId,
    MIRRORFARM_MODULE: moduleId,
    MIRRORFARM_COMMANDS: commands,
    MIRRORFARM_MODULE_BIN: bin,
    MIRRORFARM_MODULE_CONF: conf,
    MIRRORFARM_STATE: state,
    MIRRORFARM_MODULE_VAR: userVar,
  };
}
