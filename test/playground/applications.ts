/** What can run in the playground: the demo modules with their customers, or a module file. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MODULES_FOLDER, packModule } from "../setup/module-archive.ts";
import type { Application } from "./load-generator.ts";
import { readModuleFile } from "./module-file.ts";
import { postgresqlApplication } from "./postgresql-client.ts";
import { shopApplication } from "./shop-client.ts";

export type PlaygroundModule = {
  readonly name: string;
  /** What its owner should know of it here. */
  readonly notes: readonly string[];
  /** Where it serves on its node; the proxy forwards there. */
  readonly port: number;
  /** As a person would type it, of the proxy's `HOST:PORT`. */
  address(place: string): string;
  /** Its customers; null where nobody knows how to talk to it. */
  customers(place: string): Application | null;
  /** Why it cannot run in that folder, and what to do; null when it can. */
  whyNot(folder: string): string | null;
  /** The module file. `folder` is one to work in. */
  pack(folder: string): Promise<Uint8Array>;
};

const shop: PlaygroundModule = {
  name: "shop",
  notes: [],
  port: 8080,
  address: (place) => `http://${place}`,
  customers: (place) => shopApplication(`http://${place}`),
  whyNot: () => null,
  pack: () => packModule(join(MODULES_FOLDER, "shop")),
};

const postgresql: PlaygroundModule = {
  name: "postgresql",
  notes: [],
  port: 5432,
  address: (place) => `postgresql://postgres@${place}/postgres`,
  customers: postgresqlApplication,
  whyNot: whyNoPostgresql,
  pack: packPostgresql,
};

const SERVICE_PORT = 8080;

/**
 * The module that `--module` names, of a file as seen from the folder `from`; a text says what is
 * wrong with it. `port` null: where the file's own tcp checker looks.
 */
export async function chooseModule(
  name: string,
  { port, from }: { readonly port: number | null; readonly from: string },
): Promise<PlaygroundModule | string> {
  if (name === "shop") return shop;
  if (name === "postgresql") return postgresql;
  const file = await readModuleFile(name, from);
  if (!file.ok) return file.text;
  const { archive, notes } = file.value;
  return {
    ...{ name: file.value.name, port: port ?? file.value.port ?? SERVICE_PORT, notes },
    address: (place) => place,
    customers: () => null,
    whyNot: () => null,
    pack: async () => archive,
  };
}

function whyNoPostgresql(folder: string): string | null {
  if (!existsSync("/usr/lib/postgresql")) {
    return "it is not installed: sudo apt-get install -y --no-install-recommends postgresql";
  }
  if (process.getuid?.() !== 0) {
    return "its server runs as the user postgres, and only root can become another user: sudo npm start -- --module postgresql";
  }
  let place = folder;
  while (!existsSync(place)) place = dirname(place);
  const args = ["--reuid=postgres", "--regid=postgres", "--init-groups", "test", "-x", place];
  if (spawnSync("setpriv", args).status === 0) return null;
  return `the user postgres may not enter ${place}: choose another place with --folder`;
}

/** What stands for the macros' defaults: of each node's own environment, which only it knows. */
const OF_THE_NODE: Readonly<Record<string, string>> = {
  DATA: "%FARM_DATA%/postgresql",
  WAL: "%FARM_DATA%/postgresql-wal",
  RUN: "%FARM_RUN%",
  LISTEN: "%FARM_ADDRESS%",
  CHECK: "%FARM_ADDRESS%",
};

/** Both nodes are on one machine: each has its own directories, and an address without a VIP. */
async function packPostgresql(folder: string): Promise<Uint8Array> {
  const copy = join(folder, "postgresql-module");
  cpSync(join(MODULES_FOLDER, "postgresql"), copy, { recursive: true });
  const file = join(copy, "conf", "userconfig.xml");
  const text = readFileSync(file, "utf8")
    .replace(/ *<vip>.*<\/vip>\n/s, "")
    .replace(/ *<macro [^\n]*\n/g, "")
    .replace(/%([A-Z]+)%/g, (whole, name) => OF_THE_NODE[name] ?? whole);
  writeFileSync(file, text);
  return await packModule(copy);
}
