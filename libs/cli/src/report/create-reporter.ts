import type { CliReporter } from "../app/command.js";
import type { CliIo } from "../app/io.js";
import { createBarReporter } from "./bar-reporter.js";
import { createJsonReporter } from "./json-reporter.js";
import { createPlainReporter } from "./plain-reporter.js";

/** NDJSON for machines, a redrawn bar on a terminal, else a line every few seconds. */
export function createReporter(io: CliIo, json: boolean): CliReporter {
  if (json) return createJsonReporter(io);
  return io.isTerminal ? createBarReporter(io) : createPlainReporter(io);
}
