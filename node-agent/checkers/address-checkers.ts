import { execFile } from "node:child_process";
import { get } from "node:http";
import { networkInterfaces } from "node:os";
import type { IntfCheck, IpCheck, ModuleCheck, PingCheck } from "#model/module/config.ts";
import { interfaceOfSubnet, type NetworkView } from "../vip/interfaces.ts";
import { type CheckResult, down, type PolledChecker, unknown, up } from "./checker.ts";

/** Is the address on an interface of this machine? */
export function ipChecker(check: Pick<IpCheck, "addr" | "intervalMs">): PolledChecker {
  return {
    intervalMs: check.intervalMs,
    async check(): Promise<CheckResult> {
      const present = Object.values(networkInterfaces())
        .flat()
        .some((entry) => entry?.address === check.addr);
      return present ? up("present") : down("not on any interface");
    },
  };
}

const INTF_INTERVAL_MS = 10_000;

/** Is the interface of the address's subnet up? An interface without a carrier is not listed. */
export function intfChecker(
  check: Pick<IntfCheck, "localAddr">,
  view: () => NetworkView = networkInterfaces,
): PolledChecker {
  return {
    intervalMs: INTF_INTERVAL_MS,
    async check(): Promise<CheckResult> {
      const name = interfaceOfSubnet(check.localAddr, view());
      return name === null ? down("no interface in its subnet is up") : up(name);
    },
  };
}

/** Does the address answer an echo request? `ping` may open the raw socket, whoever we are. */
export function pingChecker(
  check: Pick<PingCheck, "addr" | "intervalMs" | "timeoutMs">,
): PolledChecker {
  const seconds = Math.max(1, Math.ceil(check.timeoutMs / 1000));
  const args = ["-n", "-q", "-c", "1", "-W", String(seconds), check.addr];
  return {
    intervalMs: check.intervalMs,
    check: (signal) =>
      new Promise((resolve) => {
        const timeout = check.timeoutMs + 1_000;
        execFile("ping", args, { signal, timeout }, (error) => {
          if (error === null) resolve(up("answered"));
          else if (signal.aborted) resolve(unknown("cancelled"));
          else if (error.code === 1) resolve(down("no answer in time"));
          // Not installed, or an address that cannot be resolved: that is no fault of the target.
          else resolve(error.code === "ENOENT" ? unknown("ping is not installed") : down("failed"));
        });
      }),
  };
}

/** Does the probe of another module say Ready? Any answer but 200 means that it is not. */
export function moduleChecker(
  check: Pick<ModuleCheck, "name" | "addr" | "port" | "intervalMs" | "timeoutMs">,
): PolledChecker {
  const path = `/var/modules/${encodeURIComponent(check.name)}/ready.txt`;
  return {
    intervalMs: check.intervalMs,
    check: (signal) =>
      new Promise((resolve) => {
        const { addr: host, port, timeoutMs: timeout } = check;
        const request = get({ host, port, path, timeout, signal, agent: false }, (response) => {
          response.resume();
          const { statusCode } = response;
          resolve(statusCode === 200 ? up("ready") : down(`not ready (${statusCode})`));
        });
        request.once("timeout", () => request.destroy(new Error("no answer in time")));
        request.once("error", (error) =>
          resolve(signal.aborted ? unknown("cancelled") : down(error.message)),
        );
      }),
  };
}
