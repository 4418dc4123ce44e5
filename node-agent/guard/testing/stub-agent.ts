import { existsSync, writeFileSync, writeSync } from "node:fs";
import { bootMs } from "../../adapters/linux/clock.ts";
import { GUARD_DESCRIPTOR_VARIABLE } from "../guard.ts";

/**
 * An agent for the guard's test: `stub-agent.ts MODE LEASE_MS TARGETS_JSON MARKER`. Its first run
 * reports one module; in mode `renews` it goes on to renew the lease, in mode `silent` it lives
 * but says nothing more. Later runs (the marker file tells) speak of no module at all.
 */
const [mode = "", leaseMs = "0", targetsJson = "null", marker = ""] = process.argv.slice(2);
const descriptor = Number(process.env[GUARD_DESCRIPTOR_VARIABLE]);
const isFirst = !existsSync(marker);
writeFileSync(marker, "");

function report(): void {
  const module = {
    moduleId: "shop",
    leaseUntilBootMs: bootMs() + Number(leaseMs),
    isFencedByAgent: false,
    targets: JSON.parse(targetsJson),
  };
  const modules = isFirst ? [module] : [];
  writeSync(descriptor, `${JSON.stringify({ isMainHung: false, modules })}\n`);
}

report();
process.stdout.write(`agent ${process.pid}\n`);
const timer = setInterval(mode === "renews" ? report : () => {}, 20);
process.on("SIGTERM", () => {
  clearInterval(timer);
  process.stdout.write("agent stopped in order\n");
  process.exit(0);
});
