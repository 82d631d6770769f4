import type { CliReporter } from "../app/command.js";
import type { CliIo } from "../app/io.js";

/**
 * One JSON object a line on stdout, told apart by `event`: progress, metrics, info, warning, and one
 * `result` at the end.
 */
export function createJsonReporter({ out }: Pick<CliIo, "out">): CliReporter {
  const write = (event: string, record: object) =>
    void out.write(`${JSON.stringify({ event, ...record })}\n`);
  return {
    progress: (progress) => write("progress", progress),
    metrics: (record) => write("metrics", record),
    info: (message) => write("info", { message }),
    warn: (message) => write("warning", { message }),
    result: (record) => write("result", record),
    close: () => undefined,
  };
}
