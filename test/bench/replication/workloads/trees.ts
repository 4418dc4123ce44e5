/** A source tree of some 2,500 entries: unpacked, looked through, removed, cloned. */
import { worstPlace } from "../place.ts";
import { FILE_SYSTEMS, type Figures, type Row, type Workload } from "../workload.ts";

const seconds = (key: string, title: string): Row => ({ key, title, unit: "s", better: "less" });

const TAR_ROWS: readonly Row[] = [
  seconds("untar", "untar a source tree of 2,500 entries"),
  seconds("find", "find in it, looking at each entry's size"),
  seconds("remove", "rm -r of it"),
];
const GIT_ROWS: readonly Row[] = [
  seconds("git-clone", "git clone of it"),
  seconds("git-status", "git status in the clone"),
];

const NOW = "date +%s%N";

/** The times between the numbers that a script printed: nanoseconds of the clock, one a line. */
function laps(rows: readonly Row[], printed: string): Figures {
  const at = printed.trim().split("\n").map(Number);
  return Object.fromEntries(
    rows.map(({ key }, index) => {
      const [from = Number.NaN, to = Number.NaN] = [at[index], at[index + 1]];
      return [key, (to - from) / 1e9];
    }),
  );
}

const untar: Workload = {
  ...{ name: "untar", rows: TAR_ROWS, targets: FILE_SYSTEMS },
  measure: worstPlace(TAR_ROWS, async (place, { source }) => {
    const script = `rm -rf "$1"; mkdir -p "$1"; ${NOW}; tar -xf "$2" -C "$1"; ${NOW}
      find "$1" -size +1 > /dev/null; ${NOW}; rm -r "$1"; ${NOW}`;
    return laps(TAR_ROWS, await place.shell(script, place.path("tree"), source.tar));
  }),
};

const git: Workload = {
  ...{ name: "git", rows: GIT_ROWS, targets: FILE_SYSTEMS },
  measure: worstPlace(GIT_ROWS, async (place, { source }) => {
    const script = `export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; rm -rf "$1"
      ${NOW}; git clone -q --no-hardlinks "$2" "$1"; ${NOW}; git -C "$1" status --short; ${NOW}
      rm -r "$1"`;
    return laps(GIT_ROWS, await place.shell(script, place.path("clone"), source.repository));
  }),
};

export const TREES: readonly Workload[] = [untar, git];
