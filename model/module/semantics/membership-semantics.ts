import { FARM, FARM_LAN, HEART, HEARTBEAT, HEARTBEAT_SERVER } from "../elements/membership.ts";
import { RFS } from "../elements/rfs.ts";
import { SERVICE } from "../elements/service.ts";
import { quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import { judgeHeartTimers } from "./heart-timers.ts";
import type { Judging } from "./semantics.ts";
import { judgeUnique } from "./unique.ts";

/** `<heart>` in a mirror, `<farm>` in a farm, neither in a light module. */
export function judgeMembership(service: TypedElement, judging: Judging): void {
  const { problems, mode } = judging;
  const parts = [
    { spec: HEART, home: "mirror" },
    { spec: FARM, home: "farm" },
  ] as const;
  for (const { spec, home } of parts) {
    const part = service.child(spec);
    if (part === null && mode === home) {
      problems.error(service.offset, `a ${mode} module needs a <${spec.name}>`);
    }
    if (part !== null && mode !== home) {
      problems.error(
        part.offset,
        `<${spec.name}> belongs in a ${home} module, not in a ${mode} one`,
      );
    }
  }
  const defaultPrimary = SERVICE.attributes.defaultprim;
  if (mode !== "mirror" && service.has(defaultPrimary)) {
    const message = "defaultprim belongs in a mirror module: here no node is primary";
    problems.error(service.offsetOf(defaultPrimary), message);
  }
  const [heart, farm] = [service.child(HEART), service.child(FARM)];
  if (heart !== null) judgeHeart(heart, service.child(RFS) !== null, judging);
  if (heart !== null && mode === "mirror") judgeHeartTimers(heart, judging);
  if (farm !== null) judgeUnique(farm.childrenOf(FARM_LAN), FARM_LAN.attributes.name, problems);
}

function judgeHeart(heart: TypedElement, isReplicating: boolean, { problems }: Judging): void {
  const { name, ident } = HEARTBEAT.attributes;
  const heartbeats = heart.childrenOf(HEARTBEAT);
  const [lans, idents] = [new Set<string>(), new Set<string>()];
  for (const heartbeat of heartbeats) {
    const hasServers = heartbeat.childrenOf(HEARTBEAT_SERVER).length > 0;
    if (heartbeat.childrenOf(HEARTBEAT_SERVER).length > 2) {
      const message = "a mirror keeps its data on two nodes, and this lists more: name two of them";
      problems.error(heartbeat.offset, message);
    }
    if (heartbeat.has(name) && hasServers) {
      problems.error(heartbeat.offset, "<heartbeat> has a name or <server>s, never both");
    }
    if (!heartbeat.has(name) && !hasServers) {
      problems.error(heartbeat.offset, '<heartbeat> needs attribute "name"');
    }
    if (!heartbeat.isSound(ident) || !heartbeat.isSound(name)) continue;
    const resource = heartbeat.read(ident) ?? heartbeat.read(name);
    if (resource === null) continue;
    const lan = heartbeat.read(name);
    if (lan !== null && lans.has(lan)) {
      const message = `another <heartbeat> has name ${quote(lan)} already`;
      problems.error(heartbeat.offsetOf(name), message);
    } else if (idents.has(resource)) {
      problems.error(heartbeat.offset, `another <heartbeat> is ${quote(resource)} already`);
    }
    if (lan !== null) lans.add(lan);
    idents.add(resource);
    if (resource === "flow" && !isReplicating) {
      const message = '"flow" marks the network of replication, and the module has no <rfs>';
      problems.error(heartbeat.offsetOf(ident), message);
    }
  }
}
