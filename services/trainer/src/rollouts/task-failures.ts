import type { ParsedTaskFailure } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import type { PromptTask } from "@stagecraft/ppo";

/** The error that ends a run whose task no worker can answer: task, prompt and cause. */
export function cannotBeDone(
  task: PromptTask,
  failures: readonly ParsedTaskFailure[],
): StagecraftError {
  const { code, reason } = failures.at(-1)!;
  const workers = [...new Set(failures.map(({ workerId }) => workerId))].filter(Boolean);
  const times = `${failures.length} ${failures.length === 1 ? "try" : "tries"}`;
  return new StagecraftError(
    "failed_precondition",
    `task ${task.taskId} cannot be done: ${describePrompt(task)}: [${code}] ${reason} (${times}${workers.length > 0 ? ` by ${workers.join(", ")}` : ""}). Leave that prompt out or mend the cause, then resume the run`,
    { details: { taskId: task.taskId, promptId: task.promptId, code } },
  );
}

/** Tells people what the run waits for; the same cause at most once a minute. */
export function createWaitReport(reporter: Pick<StageReporter, "warn">): {
  tell(failure: ParsedTaskFailure, task: PromptTask): void;
} {
  const toldAtMs = new Map<string, number>();
  return {
    tell({ code, reason, workerId }, task) {
      const cause = `[${code}] ${reason}`;
      const now = performance.now();
      if (now - (toldAtMs.get(cause) ?? -Infinity) < ONCE_A_MS) return;
      toldAtMs.set(cause, now);
      reporter.warn(
        `waiting: worker ${workerId} cannot do task ${task.taskId} yet and tries again: ${cause}`,
      );
    },
  };
}

const ONCE_A_MS = 60_000;
const MAX_SHOWN = 60;

function describePrompt({ promptId, messages }: PromptTask): string {
  const text = messages.at(-1)?.content ?? "";
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  return `prompt ${JSON.stringify(promptId)}${shown === "" ? "" : ` (${JSON.stringify(shown)})`}`;
}
