/**
 * Seals and opens records of a 4 KiB write, as the replication link does, for SECONDS.
 *
 *   node seal-program.ts SECONDS      {"microseconds"} of both together
 */
import { Opener, Sealer } from "../../../../node-agent/replication/sealed-stream.ts";

const RECORD_BYTES = 4096 + 32;
const KEY_BYTES = 32;
const WARM_UP = 2000;

const [seconds = "1"] = process.argv.slice(2);
const [sealer, opener] = [
  new Sealer(new Uint8Array(KEY_BYTES)),
  new Opener(new Uint8Array(KEY_BYTES)),
];
const record = new Uint8Array(RECORD_BYTES);

function once(): void {
  const wire = Buffer.concat(sealer.seal(record));
  if (!opener.open(wire, 0, wire.length).ok) throw new Error("a record did not open");
}

for (let one = 0; one < WARM_UP; one += 1) once();
const startMs = performance.now();
let count = 0;
for (; performance.now() - startMs < Number(seconds) * 1000; count += 1) once();
console.log(JSON.stringify({ microseconds: ((performance.now() - startMs) * 1000) / count }));
