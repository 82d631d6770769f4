import { toConversation, toSampling, toTokens, type events } from "@stagecraft/contracts";
import type { PromptTask } from "@stagecraft/ppo";

/** A task as it goes over the bus. */
export function toEvent(
  task: PromptTask,
  rest: Pick<events.PromptTask, "runId" | "attempt" | "traceparent">,
): events.PromptTask {
  return {
    taskId: task.taskId,
    promptId: task.promptId,
    conversation: toConversation(task.messages),
    prompt: toTokens(task.promptIds),
    sampling: toSampling(task.sampling),
    minWeightVersion: task.minWeightVersion,
    environment: "", // one answer
    createdAt: new Date(),
    ...rest,
  };
}
