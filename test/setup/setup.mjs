#!/usr/bin/env node
/**
 * `npm start` and `npm test` begin here, on a machine that may have nothing but Node 20 and npm.
 * Installs what the asked profile needs (npm packages, Node 24 among them; Debian packages when
 * root), or says the exact command to type, then runs the given TypeScript file under Node 24.
 *
 *   node test/setup/setup.mjs PROFILE FILE.ts [arguments...]
 *
 * Plain JavaScript without imports of packages: it must run before anything is installed.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const NODE_24 = join(ROOT, "node_modules", ".bin", "node");
const NPM_MARK = join(ROOT, "node_modules", ".setup-done");
const CONSOLE_MARK = join(ROOT, "console", "dist", ".setup-done");
const IS_ROOT = process.getuid?.() === 0;

/** What each Debian package is there for, seen from the file that proves it is installed. */
const DEBIAN = {
  fuse3: { proof: ["/usr/bin/fusermount3"], why: "mounts replicated directories" },
  iproute2: { proof: ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"], why: "addresses, namespaces" },
  nftables: { proof: ["/usr/sbin/nft"], why: "cuts links in the lab" },
  e2fsprogs: { proof: ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"], why: "disks of the lab" },
  procps: { proof: ["/usr/bin/ps", "/bin/ps"], why: "process lists" },
  libfaketime: {
    proof: ["x86_64", "aarch64"].map(
      (machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`,
    ),
    why: "steps the clocks of the lab",
  },
  postgresql: { proof: ["/usr/bin/pg_lsclusters"], why: "the lab's real application" },
  chromium: { proof: ["/usr/bin/chromium"], why: "looks at the console" },
  systemd: { proof: ["/lib/systemd/systemd"], why: "a machine that systemd runs" },
  dbus: { proof: ["/usr/bin/dbus-daemon"], why: "by which systemctl freezes a service" },
  "fonts-liberation": {
    proof: ["/usr/share/fonts/truetype/liberation"],
    why: "the console's text",
  },
  fio: { proof: ["/usr/bin/fio"], why: "measures block writes and reads" },
  git: { proof: ["/usr/bin/git"], why: "a workload of the benchmark" },
  "glusterfs-server": { proof: ["/usr/sbin/glusterd"], why: "the peer that is measured beside us" },
};
const BENCH_ONLY = ["fio", "git", "glusterfs-server"];
/**
 * Profiles: which Debian packages, which more when a word stands on the command line, and whether
 * the console must be built.
 */
const PROFILES = {
  playground: { debian: ["fuse3", "iproute2"], console: true },
  lab: {
    debian: ["fuse3", "iproute2", "nftables", "e2fsprogs", "procps", "libfaketime", "postgresql"],
    console: false,
  },
  bench: {
    debian: [
      ...["fuse3", "iproute2", "nftables", "e2fsprogs", "procps", "postgresql"],
      ...["fio", "git"],
    ],
    onWord: { glusterfs: ["glusterfs-server"] },
    console: false,
  },
  test: { debian: Object.keys(DEBIAN).filter((name) => !BENCH_ONLY.includes(name)), console: true },
  tools: { debian: [], console: false },
};

const say = (text) => process.stderr.write(`setup: ${text}\n`);
const fail = (text) => {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
};

/** Runs a command to its end; its output goes to standard error, as setup prints nothing else. */
function run(command, args, why) {
  say(`${why}: ${command} ${args.join(" ")}`);
  const done = spawnSync(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2], env: process.env });
  if (done.error) fail(`cannot run ${command}: ${done.error.message}`);
  return done.status === 0;
}

function installNpmPackages() {
  const lock = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const isDone = existsSync(NPM_MARK) && readFileSync(NPM_MARK, "utf8") === lock;
  if (isDone && existsSync(NODE_24)) return;
  // No install scripts: every native part we use comes as a ready package (see CONTRIBUTING.md).
  const isInstalled = run(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"],
    "npm packages",
  );
  if (!isInstalled) fail("npm ci failed; read its message above, then run the same command again");
  if (!existsSync(NODE_24)) {
    fail(
      `no Node 24 for ${process.platform}-${process.arch} in npm: install Node 24 or newer from ` +
        "nodejs.org, put it first on PATH, and run the same command again",
    );
  }
  writeFileSync(NPM_MARK, lock);
}

const isPresent = (name) => DEBIAN[name].proof.some((path) => existsSync(path));

function installDebianPackages(names) {
  const missing = names.filter((name) => !isPresent(name));
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (!existsSync("/usr/bin/apt-get")) {
    say(`not a Debian system: please install yourself ${missing.join(", ")}`);
    return;
  }
  if (!IS_ROOT) {
    for (const name of missing) say(`missing ${name} (${DEBIAN[name].why})`);
    say(`what needs them is not run; to install them type: sudo ${command}`);
    return;
  }
  // Debian's postgresql would start a server of its own at once; the lab brings its own.
  const clusterSettings = "/etc/postgresql-common/createcluster.conf";
  process.env.DEBIAN_FRONTEND = "noninteractive";
  if (missing.includes("postgresql")) {
    const isCommonThere = run(
      "sh",
      ["-c", "apt-get update -q && apt-get install -y --no-install-recommends postgresql-common"],
      "Debian packages",
    );
    if (isCommonThere && existsSync(dirname(clusterSettings))) {
      run(
        "sed",
        ["-i", "s/^#*create_main_cluster.*/create_main_cluster = false/", clusterSettings],
        "no server of its own",
      );
    }
  } else if (!run("apt-get", ["update", "-q"], "package lists")) {
    say("apt-get update failed; trying with the lists that are there");
  }
  const isDone = run(
    "apt-get",
    ["install", "-y", "-q", "--no-install-recommends", ...missing],
    "Debian packages",
  );
  if (!isDone) say(`some Debian packages could not be installed; to try by hand: ${command}`);
}

/** Built again when a source of the console is newer than the last build. */
function buildConsole() {
  const built = existsSync(CONSOLE_MARK) ? statSync(CONSOLE_MARK).mtimeMs : 0;
  const listed = spawnSync(
    "find",
    [
      "console",
      "model",
      "-newermt",
      `@${built / 1000}`,
      "-type",
      "f",
      "-not",
      "-path",
      "console/dist/*",
      "-name",
      "*.[tchj]s*",
    ],
    { cwd: ROOT, encoding: "utf8" },
  );
  if (built > 0 && listed.stdout.trim() === "") return;
  if (!existsSync(join(ROOT, "console", "vite.config.ts"))) return;
  const vite = join(ROOT, "node_modules", "vite", "bin", "vite.js");
  if (!run(NODE_24, [vite, "build", "console", "--logLevel", "warn"], "the console")) {
    fail("the console did not build; read the message above");
  }
  writeFileSync(CONSOLE_MARK, "");
}

function main() {
  const [profileName = "", file = "", ...rest] = process.argv.slice(2);
  const profile = PROFILES[profileName];
  if (profile === undefined)
    fail(`no profile "${profileName}"; known: ${Object.keys(PROFILES).join(", ")}`);
  if (Number(process.versions.node.split(".")[0]) < 20)
    fail(`needs Node 20 or newer to begin, this is ${process.version}`);
  if (process.platform !== "linux")
    say("only Linux runs the node agent; other systems build the console and run unit tests");
  installNpmPackages();
  const more = Object.entries(profile.onWord ?? {}).filter(([word]) => rest.includes(word));
  installDebianPackages([...profile.debian, ...more.flatMap(([, names]) => names)]);
  if (profile.console) buildConsole();
  if (file === "") return;
  const path = `${dirname(NODE_24)}:/usr/sbin:/sbin:${process.env.PATH ?? ""}`;
  const child = spawn(NODE_24, [join(ROOT, file), ...rest], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  // The terminal sends Ctrl-C to the child too; setup only waits for its orderly end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 128 : (code ?? 1)));
}

main();
