/** What route files are given. */
import * as z from "zod/mini";
import { ClusterName, Id, ModuleName } from "#model/contract/common.ts";
import type { ModuleEntry } from "#model/contract/configuration.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { Arbiter } from "../arbiter/step.ts";
import type { JudgeModule } from "../clusters/configure.ts";
import type { ControlPlane } from "../clusters/control-plane.ts";
import type { LiveViews } from "../clusters/live-views.ts";
import { type ClusterRecord, EVERYWHERE } from "../clusters/records.ts";
import type { FailoverBook } from "../failovers/failover-book.ts";
import type { CertificateAuthority } from "../identity/certificate-authority.ts";
import type { People } from "../identity/people.ts";
import type { Reconciler } from "../reconciler/reconciler.ts";

export interface ApiParts {
  readonly cp: ControlPlane;
  readonly arbiter: Arbiter;
  readonly live: LiveViews;
  readonly failovers: FailoverBook;
  readonly reconciler: Reconciler;
  readonly people: People;
  readonly ca: CertificateAuthority;
  readonly judgeModule: JudgeModule;
  /** Where agents call; known once the listener is open. */
  readonly agentUrl: () => string;
  readonly version: string;
}

export const ClusterParams = z.object({ c: ClusterName });
export const ModuleParams = z.object({ c: ClusterName, m: ModuleName });
export const IdParams = z.object({ id: Id });

/** The cluster, or a plain "not found". */
export async function findCluster(
  { cp }: ApiParts,
  clusterId: string,
): Promise<Result<ClusterRecord, ApiFailure>> {
  const found = await cp.clusters.read(EVERYWHERE, clusterId);
  if (found !== null) return ok(found.value);
  return err(failure("notFound", `there is no cluster ${clusterId}`));
}

/** The module's entry, or a plain "not found". */
export async function findModule(
  parts: ApiParts,
  clusterId: string,
  moduleId: string,
): Promise<Result<{ cluster: ClusterRecord; module: ModuleEntry }, ApiFailure>> {
  const cluster = await findCluster(parts, clusterId);
  if (!cluster.ok) return cluster;
  const module = cluster.value.modules.find((one) => one.id === moduleId);
  if (module !== undefined) return ok({ cluster: cluster.value, module });
  return err(failure("notFound", `there is no module ${moduleId} in ${clusterId}`));
}
