import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { ModuleStore } from "./module-store.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-modules-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const CONFIGURATION = `<!DOCTYPE safe>
<safe><service mode="mirror"><heart><heartbeat name="default"/></heart>
<rfs><replicated dir="%DATA%"/></rfs></service></safe>`;

async function archiveOf(
  script: string,
  heart = "<heart>",
): Promise<{ bytes: Buffer; sha256: string }> {
  const configuration = CONFIGURATION.replace("<heart>", heart);
  const bytes = await writeModuleArchive([
    { path: "conf/userconfig.xml", mode: 0o644, bytes: Buffer.from(configuration) },
    { path: "bin/start_prim", mode: 0o755, bytes: Buffer.from(script) },
  ]);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

const newStore = (): ModuleStore => new ModuleStore(folder, new Map([["DATA", "/srv/data"]]));

test("an installed module is found again, with its scripts and this node's own values", async () => {
  const { bytes, sha256 } = await archiveOf("#!/bin/sh\n");
  const done = await newStore().install({ id: "shop", version: 3, sha256 }, bytes, "default");
  expect(done).toMatchObject({ ok: true, value: { version: 3 } });
  const [found] = await newStore().list();
  expect(found).toMatchObject({
    ok: true,
    value: {
      moduleId: "shop",
      version: 3,
      config: { rfs: { replicated: [{ dir: "/srv/data" }] } },
    },
  });
  const script = join(folder, "modules", "shop", "3", "bin", "start_prim");
  expect(statSync(script).mode & 0o777).toBe(0o755);
});

test("a script that a power cut emptied is what the archive says again", async () => {
  const { bytes, sha256 } = await archiveOf("#!/bin/sh\necho starts\n");
  await newStore().install({ id: "shop", version: 1, sha256 }, bytes, "default");
  const script = join(folder, "modules", "shop", "1", "bin", "start_prim");
  writeFileSync(script, "");
  await newStore().list();
  expect(readFileSync(script, "utf8")).toContain("echo starts");
});

test("an archive with another hash changes nothing", async () => {
  const first = await archiveOf("#!/bin/sh\n");
  const store = newStore();
  await store.install({ id: "shop", version: 1, sha256: first.sha256 }, first.bytes, "default");
  const second = await archiveOf("#!/bin/sh\nrm -rf /\n");
  const refused = await store.install(
    { id: "shop", version: 2, sha256: first.sha256 },
    second.bytes,
    "default",
  );
  expect(refused.ok).toBe(false);
  expect(await store.list()).toMatchObject([{ ok: true, value: { version: 1 } }]);
});

test("a version whose <heart> contradicts the cluster's timers changes nothing", async () => {
  const store = newStore();
  const first = await archiveOf("#!/bin/sh\n");
  await store.install({ id: "shop", version: 1, sha256: first.sha256 }, first.bytes, "default");
  const second = await archiveOf("#!/bin/sh\n", '<heart timeout="400ms">');
  const reference = { id: "shop", version: 2, sha256: second.sha256 };
  const refused = await store.install(reference, second.bytes, "default");
  const two = "heartbeatMs 200 and detectAfterMs 400 contradict each other";
  expect(refused).toMatchObject({ ok: false, error: expect.stringContaining(two) });
  expect(await store.list()).toMatchObject([{ ok: true, value: { version: 1 } }]);
});

test("a newer version takes the place of the older one, an uninstalled one is gone", async () => {
  const store = newStore();
  for (const version of [1, 2]) {
    const { bytes, sha256 } = await archiveOf(`#!/bin/sh\necho ${version}\n`);
    await store.install({ id: "shop", version, sha256 }, bytes, "default");
  }
  expect(await store.list()).toMatchObject([{ ok: true, value: { version: 2 } }]);
  store.uninstall("shop");
  expect(await store.list()).toEqual([]);
});
