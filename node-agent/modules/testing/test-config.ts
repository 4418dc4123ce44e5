import type { MirrorConfig, ModuleConfig } from "#model/module/config.ts";
import { USER } from "./test-module.ts";

const MIRROR: MirrorConfig = {
  mode: "mirror",
  heart: { port: null, pulseMs: null, timeoutMs: null, permanentArp: true, heartbeats: [] },
  rfs: null,
  service: {
    boot: "ignore",
    bootDelayMs: 0,
    failover: true,
    defaultPrim: { kind: "alone" },
    maxLoop: 3,
    loopIntervalMs: 86_400_000,
    automaticReboot: false,
  },
  vip: null,
  user: USER,
  vhost: null,
  errd: null,
  checks: [],
  failover: null,
  macros: [],
};

/** A mirror module that says nothing but what a test gives it. */
export const moduleConfig = (parts: Partial<Omit<MirrorConfig, "mode">>): ModuleConfig => ({
  ...MIRROR,
  ...parts,
});
