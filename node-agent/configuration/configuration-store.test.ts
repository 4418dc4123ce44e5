import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeConfiguration } from "#model/contract/configuration.ts";
import { writeRecord } from "../adapters/atomic-file.ts";
import { ConfigurationStore } from "./configuration-store.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-configuration-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const CONFIGURATION: NodeConfiguration = {
  version: 4,
  cluster: {
    ...{ id: "c1", networks: ["default"], nodes: [], timers: "fast", addressDriver: "arp" },
  },
  modules: [],
  caCertificates: [CERTIFICATE],
};
const path = () => join(folder, "configuration.json");

test("what was applied last is there after a restart", () => {
  expect(new ConfigurationStore(folder).read()).toBeNull();
  new ConfigurationStore(folder).write(CONFIGURATION);
  expect(new ConfigurationStore(folder).read()).toEqual(CONFIGURATION);
});

test("a damaged file, or one of another form, is not believed", () => {
  const store = new ConfigurationStore(folder);
  store.write(CONFIGURATION);
  writeFileSync(path(), readFileSync(path(), "utf8").replace('"fast"', '"slow"'));
  expect(store.read()).toBeNull();
  writeRecord(path(), { version: 4 });
  expect(store.read()).toBeNull();
});
