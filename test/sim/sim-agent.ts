import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import { Peering } from "../../node-agent/peering.ts";
import type { Life } from "./machine.ts";
import { SimHeartbeats } from "./sim-heartbeats.ts";
import { SimHosted } from "./sim-hosted.ts";
import { SimLink } from "./sim-link.ts";
import type { SimNode } from "./sim-node.ts";
import type { SimPart } from "./sim-part.ts";

export const CLUSTER = "cluster1";
const FETCH_MS = 1_000;

/**
 * One life of the agent on a simulated node: the production parts, put together as agent-main.ts and
 * agent.ts do. When its life has ended, whatever it still waits for never comes.
 */
export class SimAgent {
  readonly node: SimNode;
  readonly number: number;
  readonly life: Life = { isAlive: true };
  readonly heartbeats: SimHeartbeats;
  readonly link: SimLink;
  readonly peering: Peering;
  /** Dies at the n-th place from now at which it touches the world. */
  dieAt: number | null = null;
  isLeaving = false;
  readonly #hosts = new Map<string, SimHosted>();

  constructor(node: SimNode, number: number) {
    this.node = node;
    this.number = number;
    const { world, machine } = node;
    this.heartbeats = this.#newHeartbeats();
    this.heartbeats.onDatagram = (datagram) => node.peer.deliver(machine.id, datagram);
    this.link = new SimLink(machine, this.life, world.net);
    this.peering = new Peering({
      ...{ peerId: node.peerId, peerHosts: [node.peerId], link: this.link },
      ...{ heartbeats: this.heartbeats, nowBootMs: machine.bootMs },
      detectAfterMs: TIMER_PROFILES[world.profile].detectAfterMs,
    });
    for (const part of node.parts) this.#begin(part);
  }

  /** Without its module file an agent runs no module: it fetches it first, as often as it takes. */
  #begin(part: SimPart): void {
    const { world, machine } = this.node;
    if (part.isConfigured || world.controlPlane.isReachedBy(this.node.id)) {
      part.isConfigured = true;
      this.#hosts.set(part.module.id, new SimHosted(this, part));
    } else machine.after(this.life, "main", "work", FETCH_MS, () => this.#begin(part));
  }

  host(moduleId: string): SimHosted | null {
    return this.#hosts.get(moduleId) ?? null;
  }

  /** A place at which a process may die: true when it has just done so here. */
  point(name: string): boolean {
    if (!this.life.isAlive) return true;
    if (this.dieAt === null) return false;
    this.dieAt -= 1;
    if (this.dieAt >= 0) return false;
    this.node.world.disturb();
    this.node.world.see(`crash at ${name}`);
    this.node.agentDies(`crashed at ${name}`);
    return true;
  }

  die(): void {
    this.life.isAlive = false;
    for (const host of this.#hosts.values()) host.die();
  }

  /** Stops in order and is then started anew, as an upgrade does. */
  async leave(): Promise<void> {
    if (this.isLeaving) return;
    this.isLeaving = true;
    const { world, id } = this.node;
    const leaving = [...this.#hosts.values()].map(async ({ hosted, part }) => {
      try {
        await hosted.leave("agentEnds");
      } catch (error) {
        // As agent.ts has it: one that cannot leave in order ends all the same.
        world.note(`${id} cannot leave in order: ${String(error)}`, part.module.id);
      }
    });
    await Promise.all(leaving);
    if (this.life.isAlive) this.node.agentDies("left in order");
  }

  #newHeartbeats(): SimHeartbeats {
    const { node, life } = this;
    const { world, machine } = node;
    const { heartbeatMs, hangAfterMs } = TIMER_PROFILES[world.profile];
    return new SimHeartbeats({
      ...{ machine, life, net: world.net, peer: node.peerId, heartbeatMs, hangAfterMs },
      instanceId: `${machine.id}-${this.number}`,
      onGuardReport: (report) => {
        if (life.isAlive) node.guard?.note(report);
      },
      onPublish: (moduleId, state) => {
        if (!life.isAlive) return true;
        world.module(moduleId).onPublish(node.part(moduleId), state);
        return this.point("publish");
      },
      onPromise: (moduleId, epoch) => {
        if (!life.isAlive) return true;
        world.module(moduleId).onPromise(node.part(moduleId), epoch);
        return this.point("promise");
      },
      onSent: () => world.onMessage(node),
    });
  }
}
