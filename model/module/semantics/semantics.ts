/**
 * What is right in each element and wrong together. One file per part; each looks only at values
 * that are sound, so that one mistake is reported once.
 */
import type { TimerProfile } from "../../quorum/timers.ts";
import { SERVICE } from "../elements/service.ts";
import type { ProblemCollector } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import { judgeChecks } from "./check-semantics.ts";
import { judgeErrd } from "./errd-semantics.ts";
import { judgeFailover } from "./failover-semantics.ts";
import { judgeMembership } from "./membership-semantics.ts";
import { judgeRfs } from "./rfs-semantics.ts";
import { judgeVip } from "./vip-semantics.ts";

/** What the rules need to know beside the element. */
export type Judging = {
  readonly problems: ProblemCollector;
  readonly mode: "mirror" | "farm" | "light";
  /** For a playground on one machine: a virtual address may then be a loopback address. */
  readonly allowLoopback: boolean;
  /** The cluster's timer profile; undefined where no cluster is known. */
  readonly timers: TimerProfile | undefined;
};

/** Reports what is wrong across the elements of a `<service>`. */
export function judgeService(
  service: TypedElement,
  problems: ProblemCollector,
  options: Pick<Judging, "allowLoopback" | "timers">,
): void {
  // Which parts may be there rests on the mode alone: without it there is nothing to judge.
  if (!service.isSound(SERVICE.attributes.mode)) return;
  const judging = { problems, mode: service.read(SERVICE.attributes.mode), ...options };
  if (judging.mode !== "mirror") {
    const message = `a ${judging.mode} module is understood but not acted on yet: it is not run`;
    problems.warn(service.offsetOf(SERVICE.attributes.mode), message);
  }
  judgeMembership(service, judging);
  judgeVip(service, judging);
  judgeRfs(service, judging);
  judgeErrd(service, judging);
  judgeChecks(service, judging);
  judgeFailover(service, judging);
}
