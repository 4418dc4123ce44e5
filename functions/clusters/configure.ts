/**
 * Changes of what a cluster should run. All of them go through one conditional write of the
 * cluster's record, so its version counts every change and none is lost; nodes are woken by it.
 */
import { createHash } from "node:crypto";
import { MODULES_MAX } from "#model/contract/common.ts";
import type {
  ClusterRequest,
  ClusterSettings,
  ModuleEntry,
  ModuleUploadAnswer,
} from "#model/contract/configuration.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import type { ModuleConfig } from "#model/module/config.ts";
import { conflictsWith, type NamedModule } from "#model/module/fit.ts";
import type { TimerProfile } from "#model/quorum/timers.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ClusterRecord, EVERYWHERE } from "./records.ts";
import { clusterTopic, nodeTopic } from "./signals.ts";

/** What a .safe file turned out to be. */
interface JudgedModule {
  readonly mode: "mirror" | "farm" | "light";
  readonly warnings: readonly string[];
  readonly config: ModuleConfig;
}
/** Reads a .safe file as an agent would; every problem as `file:line:column: text`. */
export type JudgeModule = (
  bytes: Uint8Array,
  /** The profile that `<heart>` must go together with; undefined: of no cluster in particular. */
  timers?: TimerProfile,
) => Promise<Result<JudgedModule, readonly string[]>>;

const stale = (what: string): ApiFailure =>
  failure("stale", `${what} has changed since you looked`, "look again and repeat");

/** Makes a cluster, or changes what the request names of it. */
export async function putCluster(
  cp: ControlPlane,
  clusterId: string,
  request: ClusterRequest,
  actor: string,
  judge: JudgeModule | null = null,
): Promise<Result<ClusterRecord, ApiFailure>> {
  const misfit = judge === null ? null : await misfitOfTimers(cp, judge, clusterId, request);
  if (misfit !== null) return err(misfit);
  const changed = await changeCluster(cp, clusterId, (was) => {
    const { seenVersion, networks, nodes, timers, addressDriver } = request;
    if (seenVersion !== undefined && seenVersion !== (was?.version ?? 0)) {
      return err(stale(clusterId));
    }
    const before: ClusterSettings = was?.settings ?? {
      id: clusterId,
      networks: ["default"],
      nodes: [],
      timers: "default",
      addressDriver: "arp",
    };
    const settings: ClusterSettings = {
      id: clusterId,
      networks: networks ?? before.networks,
      nodes: nodes ?? before.nodes,
      timers: timers ?? before.timers,
      addressDriver: addressDriver ?? before.addressDriver,
    };
    const problem = problemOf(settings, was?.modules ?? []);
    if (problem !== null) return err(problem);
    const modules = was?.modules ?? [];
    return ok({ settings, modules, createdAtMs: was?.createdAtMs ?? cp.clock.nowMs() });
  });
  if (changed.ok) {
    await cp.events.tell(clusterId, {
      kind: "configurationChanged",
      severity: "U",
      text: `cluster ${clusterId} configured (version ${changed.value.version})`,
      actor,
    });
  }
  return changed;
}

/** A module whose `<heart>` contradicts the profile that the cluster shall have from now on. */
async function misfitOfTimers(
  cp: ControlPlane,
  judge: JudgeModule,
  clusterId: string,
  { timers }: ClusterRequest,
): Promise<ApiFailure | null> {
  const was = (await cp.clusters.read(EVERYWHERE, clusterId))?.value;
  if (timers === undefined || was === undefined || was.settings.timers === timers) return null;
  for (const { id, sha256 } of was.modules) {
    const archive = await cp.blobs.get(sha256);
    const judged = archive === null ? null : await judge(archive, timers);
    if (judged === null || judged.ok) continue;
    const text = `module ${id}: ${judged.error[0] ?? "unreadable"}`.slice(0, 900);
    return failure("conflict", text, "give the module another <heart>, or keep the profile");
  }
  return null;
}

function problemOf(settings: ClusterSettings, modules: readonly ModuleEntry[]): ApiFailure | null {
  const names = settings.nodes.map((node) => node.id);
  if (new Set(names).size !== names.length) return failure("badRequest", "a node is named twice");
  if (new Set(settings.networks).size !== settings.networks.length) {
    return failure("badRequest", "a network is named twice");
  }
  for (const { id, addresses } of settings.nodes) {
    const strange = Object.keys(addresses).find((name) => !settings.networks.includes(name));
    if (strange !== undefined) {
      return failure("badRequest", `${id} has an address on ${strange}, which is no network`);
    }
  }
  const orphan = modules.find((module) => module.nodes.some((node) => !names.includes(node)));
  if (orphan === undefined) return null;
  const text = `module ${orphan.id} runs on a node that would be gone`;
  return failure("conflict", text, "move or remove the module first");
}

/** Adds a node that a token was made for, or gives it addresses it lacks. */
export async function declareNode(
  cp: ControlPlane,
  clusterId: string,
  nodeId: string,
  addresses: Readonly<Record<string, string>> | undefined,
): Promise<Result<ClusterRecord, ApiFailure>> {
  return changeCluster(cp, clusterId, (was) => {
    if (was === null) return err(failure("notFound", `there is no cluster ${clusterId}`));
    const known = was.settings.nodes.find((node) => node.id === nodeId);
    if (known !== undefined && addresses === undefined) return ok(was);
    const others = was.settings.nodes.filter((node) => node.id !== nodeId);
    const node = { id: nodeId, addresses: { ...known?.addresses, ...addresses } };
    const nodes = [...others, node].sort((a, b) => (a.id < b.id ? -1 : 1));
    const settings = { ...was.settings, nodes };
    const problem = problemOf(settings, was.modules);
    return problem === null ? ok({ ...was, settings }) : err(problem);
  });
}

export interface Upload {
  readonly moduleId: string;
  readonly bytes: Uint8Array;
  /** Null: all nodes of the cluster. */
  readonly nodes: readonly string[] | null;
  readonly seenVersion: number | null;
  readonly dryRun: boolean;
  readonly actor: string;
}

/** Judges a .safe file and, unless only asked to judge, makes it the module's next version. */
export async function putModule(
  cp: ControlPlane,
  judge: JudgeModule,
  clusterId: string,
  upload: Upload,
): Promise<Result<ModuleUploadAnswer, ApiFailure>> {
  const { moduleId, bytes, seenVersion, dryRun, actor } = upload;
  const cluster = await cp.clusters.read(EVERYWHERE, clusterId);
  const judged = await judge(bytes, cluster?.value.settings.timers);
  if (!judged.ok) {
    const [first = "unreadable"] = judged.error;
    const details = judged.error.slice(0, 60);
    return err({ ...failure("badModule", first.slice(0, 900), "correct the file"), details });
  }
  const conflict = await conflictOf(cp, judge, clusterId, { id: moduleId, ...judged.value });
  if (conflict !== null) return err(conflict);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  // The archive before the entry that names it: a node must never be told of bytes not there.
  if (!dryRun) await cp.blobs.put(sha256, bytes);
  const { mode, warnings } = judged.value;
  const decide = (was: ClusterRecord | null): Result<Draft, ApiFailure> => {
    if (was === null) return err(failure("notFound", `there is no cluster ${clusterId}`));
    const before = was.modules.find((module) => module.id === moduleId);
    if (seenVersion !== null && seenVersion !== (before?.version ?? 0)) return err(stale(moduleId));
    const all = was.settings.nodes.map((node) => node.id);
    const nodes = [...(upload.nodes ?? before?.nodes ?? all)].sort();
    const problem = nodesProblem(moduleId, mode, nodes, all);
    if (problem !== null) return err(problem);
    if (before === undefined && was.modules.length >= MODULES_MAX) {
      return err(failure("tooMany", `a cluster holds ${MODULES_MAX} modules at most`));
    }
    const entry: ModuleEntry = {
      id: moduleId,
      mode,
      version: (before?.version ?? 0) + 1,
      sha256,
      bytes: bytes.byteLength,
      nodes,
      uploadedAtMs: cp.clock.nowMs(),
      uploadedBy: actor,
    };
    const others = was.modules.filter((module) => module.id !== moduleId);
    return ok({ ...was, modules: [...others, entry].sort((a, b) => (a.id < b.id ? -1 : 1)) });
  };
  const entryOf = (record: Draft) => record.modules.find((module) => module.id === moduleId);
  const record = dryRun
    ? decide((await cp.clusters.read(EVERYWHERE, clusterId))?.value ?? null)
    : await changeCluster(cp, clusterId, decide);
  if (!record.ok) return record;
  const module = entryOf(record.value);
  if (module === undefined) return err(failure("internal", "the module was not stored"));
  if (!dryRun) {
    await cp.events.tell(clusterId, {
      kind: "configurationChanged",
      severity: "U",
      moduleId,
      text: `module ${moduleId} version ${module.version} on ${module.nodes.join(", ")}`,
      actor,
      data: { version: module.version, sha256 },
    });
  }
  return ok({ module, warnings: warnings.slice(0, 100), stored: !dryRun });
}

/** Two modules that replicate one directory, or hold one address, would each harm the other. */
async function conflictOf(
  cp: ControlPlane,
  judge: JudgeModule,
  clusterId: string,
  module: NamedModule,
): Promise<ApiFailure | null> {
  const cluster = await cp.clusters.read(EVERYWHERE, clusterId);
  for (const { id, sha256 } of cluster?.value.modules ?? []) {
    const archive = id === module.id ? null : await cp.blobs.get(sha256);
    const other = archive === null ? null : await judge(archive);
    if (other?.ok !== true) continue;
    const [conflict] = conflictsWith(module, [{ id, config: other.value.config }]);
    if (conflict !== undefined) {
      return failure("conflict", conflict.slice(0, 900), "give each module its own");
    }
  }
  return null;
}

function nodesProblem(
  moduleId: string,
  mode: ModuleEntry["mode"],
  nodes: readonly string[],
  all: readonly string[],
): ApiFailure | null {
  const strange = nodes.find((node) => !all.includes(node));
  if (strange !== undefined) return failure("badRequest", `${strange} is no node of the cluster`);
  if (new Set(nodes).size !== nodes.length) return failure("badRequest", "a node is named twice");
  const wanted = { mirror: "exactly two nodes", farm: "at least two nodes", light: "one node" };
  const isRight =
    (mode === "mirror" && nodes.length === 2) ||
    (mode === "farm" && nodes.length >= 2) ||
    (mode === "light" && nodes.length >= 1);
  if (isRight) return null;
  if (mode === "mirror" && nodes.length > 2) {
    const text =
      `a mirror keeps its data on two nodes, and ${moduleId} would have ${nodes.length}: ` +
      `${nodes.join(", ")}; three copies are not possible yet`;
    const pair = nodes.slice(0, 2).join(",");
    const remedy =
      `choose two of them: --nodes ${pair} (API: ?nodes=${pair}); ` +
      "the other ones can run other modules";
    return failure("badRequest", text, remedy);
  }
  const text = `a ${mode} module needs ${wanted[mode]}, not ${nodes.length}`;
  return failure("badRequest", text, "name them with ?nodes=node1,node2");
}

/** Takes a module out of the configuration. Its nodes stop and uninstall it when they pull. */
export async function removeModule(
  cp: ControlPlane,
  clusterId: string,
  moduleId: string,
  actor: string,
): Promise<Result<ClusterRecord, ApiFailure>> {
  const changed = await changeCluster(cp, clusterId, (was) => {
    const isThere = was?.modules.some((module) => module.id === moduleId) ?? false;
    if (was === null || !isThere) {
      return err(failure("notFound", `there is no module ${moduleId} in ${clusterId}`));
    }
    return ok({ ...was, modules: was.modules.filter((module) => module.id !== moduleId) });
  });
  if (!changed.ok) return changed;
  await cp.events.tell(clusterId, {
    kind: "configurationRemoved",
    severity: "U",
    moduleId,
    text: `module ${moduleId} removed`,
    actor,
  });
  return changed;
}

type Draft = Omit<ClusterRecord, "version">;

/** The only writer of cluster records: raises the version and wakes who waits for it. */
async function changeCluster(
  cp: ControlPlane,
  clusterId: string,
  decide: (was: ClusterRecord | null) => Result<Draft, ApiFailure>,
): Promise<Result<ClusterRecord, ApiFailure>> {
  const changed = await cp.clusters.change(EVERYWHERE, clusterId, (was) => {
    const decided = decide(was);
    if (!decided.ok) return decided;
    if (was !== null && decided.value === was) return ok(was);
    return ok({ ...decided.value, version: (was?.version ?? 0) + 1 });
  });
  if (!changed.ok) return changed;
  cp.signals.notify(clusterTopic(clusterId));
  for (const node of changed.value.settings.nodes) {
    cp.signals.notify(nodeTopic(clusterId, node.id));
  }
  return changed;
}
