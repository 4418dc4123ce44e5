/** Reads from the disk (every cache of the machine dropped before) and from memory. */
import { writeFileSync } from "node:fs";
import { type FioOptions, fioCommand, parseFio } from "../fio.ts";
import { inEachPlace, type Place, worstPlace } from "../place.ts";
import { FILE_SYSTEMS, type Row, type Workload } from "../workload.ts";

export const BIG_FILE = "big";
export const BIG_FILE_MIB = 256;

/** Pages, names and inodes, of all of this machine (proc_sys_vm(5)). */
export const dropCaches = (): void => writeFileSync("/proc/sys/vm/drop_caches", "3");

const SEQUENTIAL: FioOptions = { rw: "read", bs: "1M" };
const RANDOM: FioOptions = { rw: "randread", bs: "4k", time_based: 1 };

const HOLD = 'exec 9<> "$1"; ';
const WARM = 'cat "$1" > /dev/null;';

const ensureBigFile = (place: Place): Promise<string> => place.ensureFile(BIG_FILE, BIG_FILE_MIB);

type Reading = {
  readonly name: string;
  readonly title: string;
  readonly how: FioOptions;
  readonly isCold: boolean;
  /** Somebody has the file open for writing meanwhile, as a database has. */
  readonly hasWriter?: boolean;
};

function reads({ name, title, how, isCold, hasWriter = false }: Reading): Workload {
  const isRandom = how["rw"] === "randread";
  const row: Row = { key: name, title, unit: isRandom ? "/s" : "MB/s", better: "more" };
  return {
    ...{ name, rows: [row], targets: FILE_SYSTEMS },
    prepare: inEachPlace(ensureBigFile),
    measure: worstPlace([row], async (place, { options }) => {
      const all: FioOptions = {
        ...{ ...how, filename: BIG_FILE, size: `${BIG_FILE_MIB}M` },
        ...(isRandom ? { runtime: Math.ceil(options.seconds / 2) } : {}),
      };
      if (isCold) dropCaches();
      const script = `${hasWriter ? HOLD : ""}${isCold ? "" : WARM} shift; exec "$@"`;
      const said = await place.shell(script, place.path(BIG_FILE), ...fioCommand(place, all));
      const figures = parseFio(said);
      return { [name]: isRandom ? figures.iops : figures.megabytesPerSecond };
    }),
  };
}

export const READS: readonly Workload[] = [
  reads({
    ...{
      name: "read-warm",
      title: "1 MiB sequential read, warm",
      how: { ...SEQUENTIAL, loops: 4 },
    },
    isCold: false,
  }),
  reads({
    ...{ name: "read-warm-writable", title: "1 MiB sequential read, warm, open for writing too" },
    ...{ how: { ...SEQUENTIAL, loops: 4 }, isCold: false, hasWriter: true },
  }),
  reads({
    ...{ name: "read-cold", title: "1 MiB sequential read, cold", how: SEQUENTIAL, isCold: true },
  }),
  reads({
    ...{ name: "randread-warm", title: "4 KiB random read, warm", how: RANDOM, isCold: false },
  }),
  reads({
    ...{ name: "randread-cold", title: "4 KiB random read, cold", how: RANDOM, isCold: true },
  }),
];
