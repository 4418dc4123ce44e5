import { isInside } from "../directory.ts";
import { HEART, HEARTBEAT } from "../elements/membership.ts";
import { FLOW, NOTREPLICATED, REPLICATED, RFS } from "../elements/rfs.ts";
import { didYouMean, quote } from "../problem.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";

/** Directories apart from each other; one exclusion, one meaning; a network that exists. */
export function judgeRfs(service: TypedElement, judging: Judging): void {
  const rfs = service.child(RFS);
  if (rfs === null) return;
  const { problems, mode } = judging;
  if (mode !== "mirror") {
    problems.error(rfs.offset, `<rfs> belongs in a mirror module, not in a ${mode} one`);
  }
  judgeDirectories(rfs, judging);
  judgeExclusions(rfs, judging);
  judgeZones(rfs, judging);
  judgeFlow(service, rfs, judging);
}

function judgeDirectories(rfs: TypedElement, { problems }: Judging): void {
  const { dir } = REPLICATED.attributes;
  const before: string[] = [];
  for (const replicated of rfs.childrenOf(REPLICATED)) {
    if (!replicated.isSound(dir)) continue;
    const path = replicated.read(dir);
    const offset = replicated.offsetOf(dir);
    for (const other of before) {
      if (other === path) problems.error(offset, `${quote(path)} is replicated already`);
      else if (isInside(path, other)) {
        problems.error(
          offset,
          `${quote(path)} lies in ${quote(other)}, which is replicated already`,
        );
      } else if (isInside(other, path)) {
        problems.error(offset, `${quote(other)} lies in ${quote(path)} and is replicated already`);
      }
    }
    before.push(path);
  }
}

function judgeExclusions(rfs: TypedElement, { problems }: Judging): void {
  const { path, regexpath } = NOTREPLICATED.attributes;
  for (const replicated of rfs.childrenOf(REPLICATED)) {
    for (const excluded of replicated.childrenOf(NOTREPLICATED)) {
      if (excluded.has(path) !== excluded.has(regexpath)) continue;
      const count = excluded.has(path) ? "only one" : "one";
      const message = `<notreplicated> needs ${count} of "path" and "regexpath"`;
      problems.error(excluded.offset, message);
    }
  }
}

function judgeZones(rfs: TypedElement, { problems }: Judging): void {
  const { ruzone_blocksize: zone, reipacketsize: packet } = RFS.attributes;
  if (!rfs.isSound(zone) || !rfs.isSound(packet)) return;
  const [zoneBytes, packetBytes] = [rfs.read(zone), rfs.read(packet)];
  if (zoneBytes === null || zoneBytes % packetBytes === 0) return;
  const message = `ruzone_blocksize has to be a multiple of reipacketsize (${packetBytes})`;
  problems.error(rfs.offsetOf(zone), message);
}

function judgeFlow(service: TypedElement, rfs: TypedElement, { problems }: Judging): void {
  const flow = rfs.child(FLOW);
  const heart = service.child(HEART);
  if (flow === null || heart === null || !flow.isSound(FLOW.attributes.name)) return;
  const { name, ident } = HEARTBEAT.attributes;
  const idents = heart
    .childrenOf(HEARTBEAT)
    .flatMap((heartbeat) => [heartbeat.read(ident), heartbeat.read(name)])
    .filter((known) => known !== null);
  const wanted = flow.read(FLOW.attributes.name);
  if (idents.includes(wanted)) return;
  const message = `no <heartbeat> is named ${quote(wanted)}${didYouMean(wanted, idents)}`;
  problems.error(flow.offsetOf(FLOW.attributes.name), message);
}
