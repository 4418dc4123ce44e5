/** Programs that a run needs from Debian, and the one command that brings those that lack. */
import { existsSync, readdirSync } from "node:fs";
import type { BenchOptions } from "./options.ts";

type Need = { readonly package: string; readonly proof: () => boolean };

const NEEDS: readonly Need[] = [
  { package: "fio", proof: () => existsSync("/usr/bin/fio") },
  { package: "git", proof: () => existsSync("/usr/bin/git") },
  {
    package: "postgresql",
    proof: () =>
      existsSync("/usr/lib/postgresql") &&
      readdirSync("/usr/lib/postgresql").some((version) =>
        existsSync(`/usr/lib/postgresql/${version}/bin/pgbench`),
      ),
  },
];
const PEER: Need = { package: "glusterfs-server", proof: () => existsSync("/usr/sbin/glusterd") };

/** Null when all is there; otherwise what is missing and what to type. */
export function whatLacks({ peer }: BenchOptions): string | null {
  const lacking = [...NEEDS, ...(peer === null ? [] : [PEER])].filter(({ proof }) => !proof());
  if (lacking.length === 0) return null;
  const names = lacking.map((need) => need.package).join(" ");
  return `missing ${names}: apt-get install -y --no-install-recommends ${names}`;
}
