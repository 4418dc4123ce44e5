/**
 * `npm run bench -- failover|replication`: figures, in the lab (root). Speed is measured here and
 * nowhere in the tests, as a busy machine would break them.
 */
import { parseArgs } from "node:util";
import { benchFailover, failoverTable, machineLine } from "./failover.ts";
import {
  benchReplication,
  REPLICATION_HELP,
  replicationOptions,
  replicationText,
} from "./replication/bench-replication.ts";
import { whatLacks } from "./replication/needs.ts";

const USAGE = `npm run bench -- failover [--rounds N] [--json]

  kills the machine of the primary N times (10); how long the service is away

${REPLICATION_HELP}`;

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

function refuse(text: string): never {
  say(`${text}\n\n${USAGE}`);
  process.exit(2);
}

function readWords() {
  try {
    const text = { type: "string" } as const;
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        ...{ rounds: text, seconds: text, files: text, peer: text, workloads: text },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return { values, area: positionals[0] ?? "" };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const { values, area } = readWords();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (area !== "failover" && area !== "replication") refuse(`bench what? not "${area}"`);
const options = replicationOptions(values);
if (typeof options === "string") refuse(options);
if (process.getuid?.() !== 0) {
  say("the lab needs root: sudo npm run bench");
  process.exit(1);
}
const lacks = area === "replication" ? whatLacks(options) : null;
if (lacks !== null) {
  say(lacks);
  process.exit(1);
}
const machine = machineLine();
if (area === "failover") {
  const rows = await benchFailover(Number(values.rounds ?? 10), say);
  console.log(
    values.json ? JSON.stringify({ machine, rows }) : `${machine}\n${failoverTable(rows)}`,
  );
} else {
  const report = await benchReplication(options, say);
  const loadAtEnd = machineLine();
  console.log(
    values.json
      ? JSON.stringify({ machine, loadAtEnd, ...report }, null, 2)
      : `${machine}\nat the end: ${loadAtEnd}\n${replicationText(report)}`,
  );
}
process.exit(0);
