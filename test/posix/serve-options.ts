/** What a serving process can be told: on its command line, and while it runs. */
import type { KernelLimit, Role } from "../../node-agent/fuse/ports.ts";

export type ServeOptions = {
  readonly path: string;
  readonly role: Role;
  /** Apply every operation to this directory too, as a secondary would. */
  readonly copyTo?: string;
  /** Keep every operation's kind for `report`. */
  readonly record?: boolean;
  readonly exclusions: readonly string[];
  readonly descriptorsMax?: number;
  readonly kernelLimit?: KernelLimit;
};

export type ServeCommand =
  | "primary"
  | "attach"
  | "shutGate"
  | "openGate"
  | "withhold"
  | "release"
  | "failPending"
  | "flushTimes"
  | "watch"
  | "report";

/** The answer to every command. */
export type ServeReport = {
  readonly pending: number;
  readonly operations: readonly string[];
  readonly faults: readonly string[];
  readonly mutations: readonly string[];
};

export function parseServeOptions(text: string): ServeOptions {
  return JSON.parse(text);
}
