#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { run } from "./program.ts";
import { processTerminal } from "./terminal.ts";

/** The `mirrorfarm` command. Ctrl-C ends what waits; a second one ends the process. */
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
// A reader that has had enough (`| head`) is no failure.
process.stdout.on("error", (cause) => {
  process.exit("code" in cause && cause.code === "EPIPE" ? 0 : 1);
});

process.exitCode = await run(process.argv.slice(2), {
  terminal: processTerminal(interrupt.signal),
  environment: process.env,
  readInput: () => text(process.stdin),
});
