/** Real databases: commits of SQLite, and PostgreSQL under its own benchmark. */
import { inEachPlace, type Place, worstPlace } from "../place.ts";
import { FILE_SYSTEMS, type Row, type Workload } from "../workload.ts";

function sqlite(name: string, title: string, journal: "wal" | "delete"): Workload {
  const row: Row = { key: name, title, unit: "/s", better: "more" };
  return {
    ...{ name, rows: [row], targets: FILE_SYSTEMS },
    measure: worstPlace([row], async (place, { options }) => {
      const { perSecond = Number.NaN } = await place.program(
        ...(["sqlite", place.path(`${name}.db`), journal, options.seconds] as const),
      );
      return { [name]: perSecond };
    }),
  };
}

const CLIENTS = 8;
/** A minute on four targets, again and again: by far the longest workload. */
const PGBENCH_ROUNDS_MAX = 3;
const SCALE = 10;
const RUN = "/run/bench-postgresql";
/** Debian keeps the server's programs out of the PATH, in a folder per version. */
const COMMON = `bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1); data="$1"; cd /
mkdir -p ${RUN}; chown postgres ${RUN}
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
pg() { as_postgres "$bin/pg_ctl" -D "$data" -w -t 120 -l ${RUN}/log "$@" > /dev/null; }
start() {
  rm -f "$data/postmaster.pid"
  pg -o "-c listen_addresses= -c unix_socket_directories=${RUN} -c max_wal_size=512MB" start
  trap 'pg -m immediate stop' EXIT
}
stop() { trap - EXIT; pg -m fast stop; }
`;
const INITIALISE = `${COMMON}[ ! -s "$data/PG_VERSION" ] || exit 0
mkdir -p "$data"; chown postgres: "$data"; chmod 700 "$data"
as_postgres "$bin/initdb" -D "$data" --auth trust --encoding UTF8 --locale C > /dev/null
start; as_postgres "$bin/pgbench" -h ${RUN} -i -q -s ${SCALE} postgres > /dev/null 2>&1; stop
`;
const MEASURE = `${COMMON}start; as_postgres "$bin/psql" -q -h ${RUN} -c checkpoint postgres
as_postgres "$bin/pgbench" -h ${RUN} -c ${CLIENTS} -j 2 -T "$2" postgres; stop
`;

const PGBENCH: Row = {
  ...{ key: "pgbench", title: "PostgreSQL, pgbench TPC-B, 8 clients", unit: "tps", better: "more" },
};
const databaseOf = (place: Place): string => place.path("postgresql");

const pgbench: Workload = {
  ...{ name: "pgbench", rows: [PGBENCH], targets: FILE_SYSTEMS, roundsMax: PGBENCH_ROUNDS_MAX },
  prepare: inEachPlace((place) => place.shell(INITIALISE, databaseOf(place))),
  measure: worstPlace([PGBENCH], async (place, { options }) => {
    const said = await place.shell(MEASURE, databaseOf(place), options.pgbenchSeconds);
    const [, tps] = /^tps = ([\d.]+)/m.exec(said) ?? [];
    if (tps === undefined) throw new Error(`pgbench said no tps: ${said}`);
    return { pgbench: Number(tps) };
  }),
};

export const DATABASES: readonly Workload[] = [
  sqlite("sqlite-wal", "SQLite commits, write-ahead log", "wal"),
  sqlite("sqlite-journal", "SQLite commits, rollback journal", "delete"),
  pgbench,
];
