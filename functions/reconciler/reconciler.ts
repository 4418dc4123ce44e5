/**
 * Brings addresses to where the records say. Level-triggered: each look starts from the record as
 * it is now, so what was missed, doubled or done by an older call is found and mended. One cluster
 * is worked on by one look at a time; a newer epoch always wins because the record is read again
 * before every step. After a move it looks again at 5, 15, 60 and 180 s, after its own start every
 * 15 s for three minutes, and whenever a call ends that it no longer waited for: a hung older call
 * to a cloud may land late and put the address back.
 */
import type { ModuleReport } from "#model/contract/report.ts";
import { type AddressView, AddressView as AddressViewSchema } from "#model/contract/snapshot.ts";
import type { Arbiter } from "../arbiter/step.ts";
import type { ControlPlane } from "../clusters/control-plane.ts";
import { EVERYWHERE } from "../clusters/records.ts";
import { clusterTopic } from "../clusters/signals.ts";
import type { Timer } from "../ports.ts";
import type { AddressDriver, AddressWant, Observation, Step } from "./address-driver.ts";

export const LOOKS_MS = {
  /** What a call of this process does late is seen when it ends. */
  afterMove: [5_000, 15_000, 60_000, 180_000],
  /** What a process before this one left behind ends unseen: looked for more often, while it may. */
  afterStart: Array.from({ length: 12 }, (_, index) => (index + 1) * 15_000),
} as const;
/**
 * A step that did not take is tried again after this, doubled up to the bound: a cloud that is well
 * again must not be waited for much longer.
 */
export const RETRY_MS = 500;
export const RETRY_MS_MAX = 8_000;
/** A call that takes longer is let go: others wait behind it. What it does late is mended. */
export const CALL_MS_MAX = 10_000;
/** Steps in one look before others of the cluster have their turn. */
const STEPS_MAX = 3;

export interface ReconcilerParts {
  readonly cp: ControlPlane;
  readonly arbiter: Arbiter;
  readonly driverOf: (kind: string) => AddressDriver | null;
}

const HANGS = `the call hangs: nothing heard for ${CALL_MS_MAX / 1000} s`;
const NO_OBSERVATION: Observation = { kind: "unknown", address: null, text: HANGS };
const NO_STEP: Step = { kind: "retry", text: HANGS };

interface ClusterQueue {
  /** Modules that wait for a look; a set, so its size is bounded by the cluster's modules. */
  readonly waiting: Set<string>;
  isBusy: boolean;
}

export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #queues = new Map<string, ClusterQueue>();
  /** Looks due after a move, per module; a further move replaces them. */
  readonly #looks = new Map<string, readonly Timer[]>();
  /** Modules that this process has looked at before. */
  readonly #begun = new Set<string>();
  /** At most one retry per module: more would feed each other. */
  readonly #retries = new Map<string, Timer>();
  readonly #failures = new Map<string, number>();
  /** What each node last said about each module's address, to notice when it says otherwise. */
  readonly #heard = new Map<string, string>();
  #isClosed = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Asks for a look at one module. Returns at once; asking twice is asking once. */
  ask(clusterId: string, moduleId: string): void {
    if (this.#isClosed) return;
    const queue = this.#queues.get(clusterId) ?? { waiting: new Set(), isBusy: false };
    this.#queues.set(clusterId, queue);
    queue.waiting.add(moduleId);
    if (!this.#begun.has(`${clusterId}/${moduleId}`)) {
      this.#begun.add(`${clusterId}/${moduleId}`);
      this.#lookLater(clusterId, moduleId, "afterStart");
    }
    if (!queue.isBusy) void this.#work(clusterId, queue);
  }

  /** A node's report that differs from its last one in what concerns the address is worth a look. */
  hear(clusterId: string, nodeId: string, report: ModuleReport): void {
    const vips = report.vips.map((vip) => `${vip.address} ${vip.present}`);
    const said = [report.state, report.quorum?.epoch, report.quorum?.fenced, ...vips].join();
    const key = `${clusterId}/${nodeId}/${report.moduleId}`;
    if (this.#heard.get(key) === said) return;
    this.#heard.set(key, said);
    this.ask(clusterId, report.moduleId);
  }

  /** Looks at every module of a cluster: the backstop for whatever nobody told. */
  async sweep(clusterId: string): Promise<void> {
    const cluster = await this.#parts.cp.clusters.read(EVERYWHERE, clusterId);
    for (const module of cluster?.value.modules ?? []) this.ask(clusterId, module.id);
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of [...this.#looks.values()].flat()) timer.cancel();
    for (const timer of this.#retries.values()) timer.cancel();
  }

  async #work(clusterId: string, queue: ClusterQueue): Promise<void> {
    queue.isBusy = true;
    while (!this.#isClosed) {
      const [moduleId] = queue.waiting;
      if (moduleId === undefined) break;
      queue.waiting.delete(moduleId);
      try {
        await this.#look(clusterId, moduleId);
      } catch (thrown) {
        this.#parts.cp.logger.log("E", `address of ${clusterId}/${moduleId}: ${String(thrown)}`);
        this.#retry(clusterId, moduleId);
      }
    }
    queue.isBusy = false;
  }

  async #look(clusterId: string, moduleId: string): Promise<void> {
    for (let steps = 0; steps <= STEPS_MAX && !this.#isClosed; steps += 1) {
      // Read anew before each step: what was wanted a second ago may be an older epoch by now.
      const wanted = await this.#want(clusterId, moduleId);
      if (wanted === null) return;
      const { want, driver } = wanted;
      const seen = await this.#within(want, driver.observe(want), NO_OBSERVATION);
      await this.#record(driver, want, seen);
      if (seen.kind === "agrees") {
        // Where calls failed before it agreed, one of them may not have ended yet.
        if (this.#failures.delete(`${clusterId}/${moduleId}`)) {
          this.#lookLater(clusterId, moduleId, "afterMove");
        }
        return;
      }
      if (seen.kind === "unknown" || steps === STEPS_MAX) break;
      const step = await this.#within(want, driver.step(want), NO_STEP);
      if (step.kind === "done") this.#lookLater(clusterId, moduleId, "afterMove");
      if (step.kind === "waits") {
        await this.#record(driver, want, { ...seen, text: step.text }, "failed");
        break;
      }
      if (step.kind === "retry") {
        await this.#record(driver, want, { ...seen, text: step.text });
        break;
      }
    }
    this.#retry(clusterId, moduleId);
  }

  /** What a driver's call comes to, or `otherwise` when it hangs; its end is then worth a look. */
  async #within<T>({ clusterId, moduleId }: AddressWant, call: Promise<T>, otherwise: T) {
    const late = Promise.withResolvers<T>();
    let isLate = false;
    const timer = this.#parts.cp.timers.after(CALL_MS_MAX, () => {
      isLate = true;
      late.resolve(otherwise);
    });
    const over = (): void => {
      timer.cancel();
      if (isLate) this.ask(clusterId, moduleId);
    };
    void call.then(over, over);
    return await Promise.race([call, late.promise]);
  }

  async #want(
    clusterId: string,
    moduleId: string,
  ): Promise<{ want: AddressWant; driver: AddressDriver } | null> {
    const cluster = await this.#parts.cp.clusters.read(EVERYWHERE, clusterId);
    const module = cluster?.value.modules.find((one) => one.id === moduleId);
    if (cluster === null || module === undefined) return null;
    const { settings } = cluster.value;
    const driver = this.#parts.driverOf(settings.addressDriver);
    const record = await this.#parts.arbiter.record(clusterId, moduleId);
    if (driver === null || record === null || record.primary === null) return null;
    // A table that was put back may name a primary that is none any more.
    if (record.isRecovering || record.storeId !== this.#parts.cp.records.storeId) return null;
    const nodeId = record.primary;
    const node = settings.nodes.find((one) => one.id === nodeId);
    const nodeAddress = node?.addresses[settings.networks[0] ?? ""] ?? null;
    const { epoch } = record;
    return {
      want: { clusterId, moduleId, epoch, nodeId, nodeAddress, nodes: module.nodes },
      driver,
    };
  }

  /** Keeps what is known of the address, and tells of it once per epoch and outcome. */
  async #record(
    driver: AddressDriver,
    want: AddressWant,
    seen: Observation,
    outcome?: "failed",
  ): Promise<void> {
    const { cp } = this.#parts;
    const states = { agrees: "confirmed", differs: "requested", unknown: "unknown" } as const;
    const state = outcome ?? states[seen.kind];
    const was = await cp.addresses.read(want.clusterId, want.moduleId);
    const view: AddressView = {
      driver: driver.kind,
      address: seen.address,
      wantedNode: want.nodeId,
      epoch: want.epoch,
      state,
      text: seen.text,
      sinceMs: cp.clock.nowMs(),
    };
    const isSame = was !== null && isSameView(was.value, view);
    if (isSame) return;
    const stored = AddressViewSchema.parse(view);
    await cp.addresses.write(want.clusterId, want.moduleId, was?.version ?? 0, stored);
    cp.signals.notify(clusterTopic(want.clusterId));
    if (state !== "confirmed" && state !== "failed") return;
    await cp.events.tell(want.clusterId, {
      kind: state === "confirmed" ? "addressConfirmed" : "addressFailed",
      severity: state === "confirmed" ? "I" : "E",
      moduleId: want.moduleId,
      text: seen.text,
      data: { address: seen.address, toNode: want.nodeId, epoch: want.epoch },
      // Told once per epoch: an observation lost and found again is no second move.
      ...(state === "confirmed" ? { dedupeKey: `confirmed/${want.moduleId}/${want.epoch}` } : {}),
    });
  }

  #lookLater(clusterId: string, moduleId: string, when: keyof typeof LOOKS_MS): void {
    const key = `${when}/${clusterId}/${moduleId}`;
    for (const timer of this.#looks.get(key) ?? []) timer.cancel();
    const timers = LOOKS_MS[when].map((delayMs) =>
      this.#parts.cp.timers.after(delayMs, () => this.ask(clusterId, moduleId)),
    );
    this.#looks.set(key, timers);
  }

  #retry(clusterId: string, moduleId: string): void {
    if (this.#isClosed) return;
    const key = `${clusterId}/${moduleId}`;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, Math.min(failures + 1, 10));
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures);
    this.#retries.get(key)?.cancel();
    const timer = this.#parts.cp.timers.after(delayMs, () => this.ask(clusterId, moduleId));
    this.#retries.set(key, timer);
  }
}

const isSameView = (a: AddressView, b: AddressView): boolean =>
  a.driver === b.driver &&
  a.address === b.address &&
  a.wantedNode === b.wantedNode &&
  a.epoch === b.epoch &&
  a.state === b.state &&
  a.text === b.text;
