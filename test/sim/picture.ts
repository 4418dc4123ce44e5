import type { SimPart } from "./sim-part.ts";
import type { World } from "./world.ts";

/** All of the world that a person needs to see at once when something was found. */
export function pictureOf(world: World): string {
  const modules = world.modules.map((module) => {
    const r = module.record;
    const record = r === null ? "-" : `${r.epoch}/${r.primary} {${r.inSync}} v${r.version}`;
    const nodes = module.both().map(partPicture);
    const recovering = r?.isRecovering === true ? " recovering" : "";
    return `${module.id}: W ${record}${recovering}; ${nodes.join("; ")}`;
  });
  return modules.join("\n");
}

function partPicture(part: SimPart): string {
  const { quorum, hosted, node } = part;
  const state = hosted?.module.service.view;
  const disk =
    quorum === null
      ? "no quorum file"
      : `epoch ${quorum.epoch}/${quorum.primary} {${quorum.inSync}} asked ${quorum.asked}` +
        `${quorum.outdated ? " outdated" : ""}${quorum.isUnclean ? " unclean" : ""}` +
        `${quorum.joining === null ? "" : ` joining ${quorum.joining}`}`;
  const shown = `${state?.state ?? "-"}${state?.runsScripts === true ? "*" : ""}`;
  const why = hosted?.module.why ?? (node.machine.isOn ? "no agent" : "off");
  return `${node.id} ${shown} ${part.accepts ? "accepts " : ""}${disk}: ${why}`;
}
