import { existsSync, writeFileSync } from "node:fs";
import { bootMs } from "../../adapters/linux/clock.ts";
import { LeaseCell } from "../../peer/lease-cell.ts";
import { startHeartbeats } from "../../peer/start-heartbeats.ts";
import { GUARD_DESCRIPTOR } from "../guard.ts";

/**
 * An agent for the guard's test that speaks to it as the real one does, through the heartbeat
 * thread: `heartbeat-agent.ts MODE LEASE_MS TARGETS_JSON MARKER`. Its first run holds a lease that
 * its main thread renews; later runs (the marker file tells) have nothing to say.
 */
const [, leaseMs = "0", targetsJson = "null", marker = ""] = process.argv.slice(2);
const isFirst = !existsSync(marker);
writeFileSync(marker, "");

const heartbeats = await startHeartbeats({
  nodeId: "node1",
  instanceId: "instance",
  bootId: "boot",
  heartbeatMs: 100,
  hangAfterMs: 10_000,
  networks: [],
  guardDescriptor: GUARD_DESCRIPTOR,
});
const cell = new LeaseCell();
cell.serve(7);
const renew = (): void => {
  const sentAtBootMs = bootMs();
  const untilBootMs = sentAtBootMs + Number(leaseMs);
  cell.setWitnessGrant({ epoch: 7, untilBootMs, sentAtBootMs });
};
if (isFirst) {
  heartbeats.setModule({ moduleId: "shop", cell });
  renew();
  heartbeats.guard("shop", JSON.parse(targetsJson));
}
heartbeats.onGuardLost(() => {
  process.stdout.write("the guard is gone\n");
  process.exit(1);
});
process.stdout.write(`agent ${process.pid}\n`);
setInterval(renew, 20);
process.on("SIGTERM", async () => {
  heartbeats.guard("shop", null);
  await heartbeats.close();
  process.exit(0);
});
