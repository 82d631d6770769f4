import colors from "picocolors";
import type { StageProgress } from "@stagecraft/runs";
import type { CliReporter } from "../app/command.js";
import type { CliIo } from "../app/io.js";
import { rawStream } from "@stagecraft/core";
import { isComplete, progressBar, progressText } from "./progress-line.js";
import { createEta } from "./rate.js";

const REDRAW_MS = 100;
const CLEAR_LINE = "\r\x1b[2K";

/** One line at the bottom of the terminal, redrawn in place; messages scroll above it. */
export function createBarReporter(
  { out, err, columns }: Pick<CliIo, "out" | "err" | "columns">,
  now: () => number = Date.now,
): CliReporter {
  let current: StageProgress | undefined;
  let eta = createEta(now);
  let drawnMs = -Infinity;

  const clearLine = () => void rawStream(err).write(CLEAR_LINE);
  const clear = () => current && clearLine();
  const draw = (progress: StageProgress) => {
    const text = progressText(progress, eta.remainingMs(progress.done, progress.total));
    const room = Math.max(10, columns() - 26);
    const bar = colors.cyan(progressBar(progress));
    clearLine();
    err.write(`${bar} ${text.slice(0, room)}`);
    drawnMs = now();
  };
  const finish = () => {
    if (current) err.write("\n");
    current = undefined;
  };
  const message = (text: string) => {
    clear();
    err.write(`${text}\n`);
    if (current) draw(current);
  };
  return {
    progress(progress) {
      if (progress.stage !== current?.stage) {
        finish();
        eta = createEta(now);
        drawnMs = -Infinity;
      }
      current = progress;
      const isDone = isComplete(progress);
      if (isDone || now() - drawnMs >= REDRAW_MS) draw(progress);
      else eta.remainingMs(progress.done, progress.total);
      if (isDone) finish();
    },
    metrics: () => undefined,
    info: message,
    warn: (text) => message(colors.yellow(`warning: ${text}`)),
    result(_record, text) {
      finish();
      out.write(`${text}\n`);
    },
    close: finish,
  };
}
