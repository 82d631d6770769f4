import type { CliReporter } from "../app/command.js";
import type { CliIo } from "../app/io.js";
import { isComplete, progressText } from "./progress-line.js";
import { createEta, type Eta } from "./rate.js";

const LINE_EVERY_MS = 5000;

/** For logs and pipes: a progress line every five seconds, at the start and at the end of a stage. */
export function createPlainReporter(
  { out, err }: Pick<CliIo, "out" | "err">,
  now: () => number = Date.now,
): CliReporter {
  const stages = new Map<string, { eta: Eta; printedMs: number; isDone: boolean }>();
  return {
    progress(progress) {
      const known = stages.get(progress.stage);
      const state = known ?? { eta: createEta(now), printedMs: -Infinity, isDone: false };
      stages.set(progress.stage, state);
      const remainingMs = state.eta.remainingMs(progress.done, progress.total);
      const isDone = isComplete(progress);
      const isDue = now() - state.printedMs >= LINE_EVERY_MS || (isDone && !state.isDone);
      state.isDone = isDone;
      if (!isDue) return;
      state.printedMs = now();
      err.write(`${progressText(progress, remainingMs)}\n`);
    },
    metrics: () => undefined,
    info: (message) => void err.write(`${message}\n`),
    warn: (message) => void err.write(`warning: ${message}\n`),
    result: (_record, text) => void out.write(`${text}\n`),
    close: () => undefined,
  };
}
