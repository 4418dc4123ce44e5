/**
 * `npm run bench -- failover|replication [--rounds N] [--json]`: figures, in the lab (root). Speed
 * is measured here and nowhere in the tests, as a busy machine would break them.
 */
import { parseArgs } from "node:util";
import { benchFailover, failoverTable, machineLine } from "./failover.ts";
import { benchReplication, replicationTable } from "./replication.ts";

const USAGE = "usage: npm run bench -- failover|replication [--rounds N] [--json]";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const [area = ""] = positionals;
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

if (values.help || (area !== "failover" && area !== "replication")) {
  say(USAGE);
  process.exit(values.help ? 0 : 2);
}
if (process.getuid?.() !== 0) {
  say("the lab needs root: sudo npm run bench");
  process.exit(1);
}
const machine = machineLine();
if (area === "failover") {
  const rows = await benchFailover(Number(values.rounds ?? 10), say);
  console.log(
    values.json ? JSON.stringify({ machine, rows }) : `${machine}\n${failoverTable(rows)}`,
  );
} else {
  const rounds = await benchReplication(Number(values.rounds ?? 5), say);
  console.log(
    values.json ? JSON.stringify({ machine, rounds }) : `${machine}\n${replicationTable(rounds)}`,
  );
}
process.exit(0);
