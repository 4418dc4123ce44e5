import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decideVote } from "#model/quorum/decide-vote.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import { systemTimers } from "../../adapters/timers.ts";
import { MEMORY_BYTES } from "../../peer/module-memory.ts";
import { thisMachine } from "../machine.ts";
import type { MirrorPortsBase } from "../open-mirror.ts";
import { FakeEngine } from "./fake-engine.ts";
import { QuietPeering } from "./quiet-peering.ts";

/**
 * A node whose peer is never heard of, with a real witness's decisions and a folder of its own. Its
 * clock is real time plus what a test adds; replication is a fake.
 */
export class QuietNode {
  readonly directory = mkdtempSync(join(tmpdir(), "mirrorfarm-node-"));
  readonly engines: FakeEngine[] = [];
  /** Why this agent was told to end itself. */
  readonly ends: string[] = [];
  readonly quiet: QuietPeering;
  readonly ports: MirrorPortsBase;
  #record: WitnessRecord | null = null;
  #aheadMs = 0;
  #ids = 0;

  constructor() {
    this.quiet = new QuietPeering(this.nowMs);
    const { directory, nowMs } = this;
    this.ports = {
      nodeId: "node1",
      cluster: {
        ...{ id: "prod", networks: ["default"], timers: "fast", addressDriver: "arp" },
        nodes: [
          { id: "node1", addresses: { default: "10.0.0.1" } },
          { id: "node2", addresses: { default: "10.0.0.2" } },
        ],
      },
      clock: { bootMs: nowMs, unixMs: nowMs },
      ...{ timers: systemTimers, machine: thisMachine },
      heartbeats: this.quiet.peering.heartbeats,
      witness: {
        ask: async (request) => {
          const settings = { storeId: "store1", nodes: ["node1", "node2"] };
          const timers = TIMER_PROFILES.fast;
          const vote = decideVote(this.#record, request, nowMs(), { ...settings, timers });
          this.#record = vote.record;
          return { kind: "answered", answer: vote.answer };
        },
      },
      bootId: "boot1",
      stateDirectory: directory,
      productDirectory: "/opt/product",
      commandsDirectory: join(directory, "commands"),
      sparedProcessIds: () => [process.pid],
      newMemory: () => new SharedArrayBuffer(MEMORY_BYTES),
      findSurvivor: () => null,
      replicationListen: { host: "127.0.0.1", port: 0 },
      sign: (text) => `signed ${text}`,
      newId: () => {
        this.#ids += 1;
        return `id${this.#ids}`;
      },
      newEngine: () => {
        const engine = new FakeEngine();
        this.engines.push(engine);
        return engine;
      },
      restartAgent: (why) => this.ends.push(why),
    };
  }

  readonly nowMs = (): number => Math.floor(performance.now()) + 1_000_000 + this.#aheadMs;

  /** A little time passes, and the heartbeat thread says that nobody was heard. */
  tick(): void {
    this.#aheadMs += 100;
    this.quiet.tick(this.nowMs());
  }

  /** Scripts of a module: shell, by name. */
  scripts(folder: string, bodies: Readonly<Record<string, string>>): void {
    mkdirSync(join(folder, "bin"), { recursive: true });
    for (const [name, body] of Object.entries(bodies)) {
      writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
