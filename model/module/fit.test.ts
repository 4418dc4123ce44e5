import { expect, test } from "vitest";
import { parseClusterXml } from "./cluster-xml.ts";
import type { ModuleConfig } from "./config.ts";
import { conflictsWith, misfitsOfCluster } from "./fit.ts";
import { parseUserConfig } from "./parse-user-config.ts";

function mirror(dir: string, addr: string, heartbeat = "net"): ModuleConfig {
  const parsed = parseUserConfig(
    `<safe><service mode="mirror" defaultprim="node1"><heart><heartbeat name="${heartbeat}"/></heart><vip><interface_list><interface><real_interface><virtual_addr addr="${addr}" where="one_side"/></real_interface></interface></interface_list></vip><rfs><replicated dir="${dir}"/></rfs></service></safe>`,
  );
  if (!parsed.ok) throw new Error(parsed.error[0]?.message);
  return parsed.value.config;
}
const config = mirror("/srv/a", "192.0.2.1");

test("two modules share no directory and no address", () => {
  const conflicts = (dir: string, addr: string) =>
    conflictsWith({ id: "a", config }, [{ id: "b", config: mirror(dir, addr) }]);
  expect(conflicts("/srv/b", "192.0.2.2")).toEqual([]);
  expect(conflicts("/srv/ab", "192.0.2.2")).toEqual([]);
  expect(conflicts("/srv/a", "192.0.2.2")).toEqual(['module b replicates "/srv/a" already']);
  expect(conflicts("/srv/a/x", "192.0.2.2")).toHaveLength(1);
  expect(conflicts("/srv", "192.0.2.2")).toHaveLength(1);
  expect(conflicts("/srv/b", "192.0.2.1")).toEqual([
    'module b has the virtual address "192.0.2.1" already',
  ]);
});
test("a module may take the place of its own earlier version", () => {
  expect(conflictsWith({ id: "a", config }, [{ id: "a", config }])).toEqual([]);
});
test("a module names networks and nodes that the cluster has", () => {
  const cluster = parseClusterXml(
    '<cluster><lans><lan name="net"><node name="node1" addr="192.0.2.1"/><node name="node2" addr="192.0.2.2"/></lan></lans></cluster>',
  );
  if (!cluster.ok) throw new Error("the cluster is good");
  expect(misfitsOfCluster(config, cluster.value.config)).toEqual([]);
  expect(misfitsOfCluster(mirror("/srv/a", "192.0.2.1", "nett"), cluster.value.config)).toEqual([
    'the cluster has no network "nett", did you mean "net"?',
  ]);
});
