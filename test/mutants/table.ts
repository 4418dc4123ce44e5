import type { Mutant } from "./mutant.ts";
import { PROTOCOL } from "./protocol.ts";
import { SHELL } from "./shell.ts";
import { THREE_NODES } from "./three-nodes.ts";

export const MUTANTS: readonly Mutant[] = [...PROTOCOL, ...THREE_NODES, ...SHELL].sort((x, y) =>
  x.id < y.id ? -1 : 1,
);
