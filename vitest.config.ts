import { defineConfig } from "vitest/config";
import { bound } from "./test/setup/length.ts";
import { StageReporter } from "./test/setup/stage-report.ts";

/**
 * One project per stage of `npm test` (see test/run.ts): each has its own budget of minutes, its
 * own needs (root, FUSE, a browser) and never runs beside another one.
 */
const stage = (name: string, include: string[], testTimeout: number) => ({
  test: {
    name,
    include,
    testTimeout: bound(testTimeout),
    hookTimeout: bound(testTimeout),
    // Rows of the fault matrix wait more than they work: two labs side by side take half the time.
    fileParallelism: name === "unit" || name === "faults",
    ...(name === "faults" ? { maxWorkers: 2 } : {}),
    sequence: { groupOrder: name === "faults" ? 1 : 0 },
  },
});

/** Where test/run.ts wants to read what became of each test. */
const reportPath = process.env["MIRRORFARM_STAGE_REPORT"];

export default defineConfig({
  test: {
    reporters: ["default", ...(reportPath === undefined ? [] : [new StageReporter(reportPath)])],
    projects: [
      stage(
        "unit",
        [
          "{model,functions,node-agent,console,infra}/**/*.test.ts",
          "test/*.test.ts",
          "test/{setup,playground}/*.test.ts",
          "test/bench/**/*.test.ts",
        ],
        20_000,
      ),
      stage("sim", ["test/{sim,scenarios,explore,mutants}/**/*.test.ts"], 120_000),
      stage("posix", ["test/posix/**/*.test.ts"], 120_000),
      stage("contract", ["test/contract/**/*.test.ts"], 60_000),
      stage("lab", ["test/lab/**/*.test.ts"], 300_000),
      stage("faults", ["test/faults/**/*.test.ts"], 300_000),
      stage("systemd", ["test/systemd/**/*.test.ts"], 120_000),
      stage("browser", ["test/browser/**/*.test.ts"], 120_000),
    ],
  },
});
